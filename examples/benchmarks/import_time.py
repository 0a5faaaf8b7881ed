"""What the plug-in adds to `import verl`: fresh processes with and without it, side by side in one run.

    python examples/benchmarks/import_time.py [--repeats 7]

CPU seconds, so that other work on the machine counts little; differences are those of neighbours in time. Target: less
than 0.3 s.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

from measure import ratios, save, spread

CODE = "import time; start = time.process_time(); import verl; print(time.process_time() - start)"
# verl loads the entry points of its plug-in group that are named there, or none.
KINDS = {
    "without": {"VERL_USE_EXTERNAL_PLUGINS": "none"},
    "with": {"VERL_USE_EXTERNAL_PLUGINS": "verl_ext", "VERL_PLATFORM": ""},
    "with, CPU platform": {"VERL_USE_EXTERNAL_PLUGINS": "verl_ext", "VERL_PLATFORM": "cpu", "CUDA_VISIBLE_DEVICES": ""},
}


def seconds(environment: dict[str, str]) -> float:
    done = subprocess.run(
        [sys.executable, "-c", CODE], env={**os.environ, **environment}, capture_output=True, text=True, check=True
    )
    return float(done.stdout.splitlines()[-1])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=7)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(options.repeats + 1):
        for kind, environment in KINDS.items():
            taken = seconds(environment)
            if turn:  # the first turn only warms the file cache
                times[kind].append(taken)
            print(f"\rturn {turn} of {options.repeats}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    found = {}
    for kind, values in times.items():
        line = f"import verl {kind:<20} {spread(values)} s"
        if kind != "without":
            added = [one - base for one, base in zip(values, times["without"], strict=True)]
            found[f"import verl, {kind} / without"] = ratios(values, times["without"])
            line += f", added {spread(added, sign='+')} s, ratio {spread(ratios(values, times['without']))}"
        print(line)
    save(options.json, ratios=found)


if __name__ == "__main__":
    main()
