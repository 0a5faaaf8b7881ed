"""Launch and step of the quickstart here beside those of an earlier commit, in turns, without a GPU.

    python examples/benchmarks/versions.py --before f022417 [--repeats 1] [--steps 6]

Both run their own examples/quickstart.sh in the environment of this Python, on one data set and model (`--prepared`, as
the quickstart leaves them), without validation and checkpoints, and without the lines that prepare. "First step": from
the launch to the end of the first step, less the time of a step. A step: from the end of one to the end of the next. A
run is ended after its last step, with all that it started.
"""

from __future__ import annotations

import argparse
import itertools
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from measure import ratios, save, spread

sys.path.insert(0, str(Path(__file__).parents[2]))
from examples.kill_and_resume import last_step, until_killed

ROOT = Path(__file__).parents[2]
# Starts of the quickstart's lines that prepare: environment, data, model.
PREPARES = (
    r"bash examples/install\.sh",
    r'"\$PYTHON" -m data_prep',
    r'"\$PYTHON" -m verl_ext\.tiny_model|\[ -n "\$MODEL" \]|if \[ -z "\$MODEL" \].* fi$',
)
MINUTES = 20


def training_only(quickstart: str) -> str:
    """The script without the lines that prepare; ValueError if it lacks one of them."""
    lines = quickstart.splitlines(keepends=True)
    for start in PREPARES:
        if not any(re.match(start, line) for line in lines):
            raise ValueError(f"the quickstart of this commit has no line that starts as {start}")
    return "".join(line for line in lines if not re.match("|".join(PREPARES), line))


def measured(tree: Path, prepared: Path, run: Path, steps: int) -> tuple[float, list[float]]:
    """Seconds from the launch to the first step, and of every later step."""
    script = tree / "examples" / "quickstart_training_only.sh"
    script.write_text(training_only((tree / "examples" / "quickstart.sh").read_text()))
    settings = {
        "PYTHONPATH": tree,  # before the installed package, and inherited by every process
        "VENV": sys.prefix,
        "OUT": run,
        "CACHE": prepared,
        "STEPS": steps + 1,
    }
    # Each script's own number of threads, not that of `until_killed`.
    command = [
        "env",
        "-u",
        "OMP_NUM_THREADS",
        *(f"{name}={value}" for name, value in settings.items()),
        "bash",
        str(script),
    ]
    command += ["trainer.val_before_train=false", "trainer.save_freq=-1"]
    ends: list[float] = []

    def over() -> bool:
        while len(ends) < last_step(run):
            ends.append(time.monotonic())
        return len(ends) >= steps

    start = time.monotonic()
    try:
        if not until_killed(command, run, minutes=MINUTES, killed=over):
            raise RuntimeError(f"the run ended before step {steps}; see {run}/train.log")
    finally:
        script.unlink()
    each = [after - before for before, after in itertools.pairwise(ends)]
    return ends[0] - start - statistics.median(each), each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--before", required=True, metavar="COMMIT", help="the earlier commit")
    parser.add_argument("--prepared", type=Path, default=ROOT / "runs" / "cache", help="holds data/ and model/")
    parser.add_argument("--repeats", type=int, default=1, help="runs of each (default %(default)s)")
    parser.add_argument("--steps", type=int, default=6, help="steps of a run, 3 or more (default %(default)s)")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    prepared = options.prepared.resolve()
    for needed in (prepared / "data" / "train.parquet", prepared / "model" / "config.json"):
        if not needed.exists():
            parser.error(f"{needed} is missing; `bash examples/quickstart.sh` makes it")
    if options.steps < 3:
        parser.error(f"--steps {options.steps}: 3 or more are needed, since the first is not counted")
    starts: dict[str, list[float]] = {"before": [], "here": []}
    steps: dict[str, list[float]] = {"before": [], "here": []}
    with tempfile.TemporaryDirectory() as folder:
        old = Path(folder) / "before"
        subprocess.run(
            ["git", "-C", str(ROOT), "worktree", "add", "--quiet", "--detach", str(old), options.before], check=True
        )
        try:
            for turn in range(options.repeats):
                order = [("before", old), ("here", ROOT)]
                for name, tree in order if turn % 2 == 0 else order[::-1]:
                    start, each = measured(tree, prepared, Path(folder) / f"{name}{turn}", options.steps)
                    starts[name].append(start)
                    steps[name].append(statistics.median(each))
                    print(f"{name}: first step after {start:.1f} s; steps {spread(each)} s", flush=True)
        finally:
            subprocess.run(["git", "-C", str(ROOT), "worktree", "remove", "--force", str(old)], check=True)
    found = {
        "launch to first step, here / before": ratios(starts["here"], starts["before"]),
        "step (median of a run), here / before": ratios(steps["here"], steps["before"]),
    }
    for label, values in found.items():
        print(f"{label}: {spread(values)}")
    save(options.json, ratios=found)


if __name__ == "__main__":
    main()
