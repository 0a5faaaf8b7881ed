"""What the plug-in adds to `import verl`: fresh processes with and without it, side by side in one run.

python examples/benchmarks/import_time.py [--repeats 7]
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys

CODE = "import time; start = time.perf_counter(); import verl; print(time.perf_counter() - start)"
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
    repeats = parser.parse_args().repeats
    times: dict[str, list[float]] = {kind: [] for kind in KINDS}
    for turn in range(repeats + 1):
        for kind, environment in KINDS.items():
            taken = seconds(environment)
            if turn:  # the first turn only warms the file cache
                times[kind].append(taken)
            print(f"\rturn {turn} of {repeats}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    base = statistics.median(times["without"])
    for kind, values in times.items():
        median = statistics.median(values)
        spread = f"{min(values):.2f} to {max(values):.2f}"
        print(
            f"import verl {kind:<20} {median:.2f} s ({spread}), added {median - base:+.2f} s, ratio {median / base:.3f}"
        )


if __name__ == "__main__":
    main()
