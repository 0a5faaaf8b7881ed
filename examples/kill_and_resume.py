"""Does a run that is killed and resumed give the metrics of one that is not? On the real pipeline, without a GPU:

    python examples/kill_and_resume.py --prepared runs/cache --out runs/kills --kills 10

Trains once undisturbed, then again with the same settings, ended by SIGKILL at random moments and resumed; prints the
largest difference of every step and exits with 1 if a step that follows a resume differs by more than 1e-5, or fewer
such steps than kills could be compared (as where the run in --out is over already).
`--prepared` holds `data/` and `model/` (`examples/quickstart.sh` makes them); arguments after -- go to Hydra.
"""

from __future__ import annotations

import argparse
import math
import os
import random
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path

import psutil

from verl_ext import run_log
from verl_ext.run_log import read
from verl_ext.supervise import MARK, end_marked

TOLERANCE = 1e-5
# Wall-clock, throughput and memory differ between any two runs.
NOT_COMPARED = ("timing_", "perf/", "gen_throughput")
ENVIRONMENT = {
    "VERL_PLATFORM": "cpu",
    "VLLM_CPU_KVCACHE_SPACE": "1",
    "OMP_NUM_THREADS": "1",
    "HF_HUB_OFFLINE": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "RAY_worker_niceness": "0",
    # Hides GPUs; Ray wants as many entries as it is to have logical ones.
    "CUDA_VISIBLE_DEVICES": "-1,-2",
}


def training_command(prepared: Path, run: Path, steps: int, overrides: list[str]) -> list[str]:
    """Small steps with a checkpoint after each; the last two are kept, since a kill can fall between saving one and
    declaring it complete."""
    return [
        *(sys.executable, "-m", "verl_ext.main_ppo", "+machine=cpu", "+recipe=quickstart"),
        f"data.train_files={prepared}/data/train.parquet",
        f"data.val_files={prepared}/data/val.parquet",
        *("data.train_batch_size=6", "data.max_prompt_length=256", "data.max_response_length=64"),
        f"actor_rollout_ref.model.path={prepared}/model",
        *("actor_rollout_ref.actor.ppo_mini_batch_size=3", "actor_rollout_ref.actor.optim.lr=1e-4"),
        *("actor_rollout_ref.rollout.n=4", f"trainer.total_training_steps={steps}", "trainer.total_epochs=1000"),
        *("trainer.save_freq=1", "trainer.max_actor_ckpt_to_keep=2", "trainer.test_freq=-1"),
        *("trainer.val_before_train=false", "trainer.logger=[]", f"verl_ext.run_dir={run}"),
        f"trainer.default_local_dir={run}/checkpoints",
        *overrides,
    ]


def last_step(run: Path) -> int:
    last = run_log.last(run / "metrics.jsonl")
    return last["step"] if last else 0


def identity(run: Path) -> int:
    log = run / "metrics.jsonl"
    return log.stat().st_ino if log.exists() else 0


def saved_step(run: Path) -> int:
    tracker = run / "checkpoints" / "latest_checkpointed_iteration.txt"
    return int(tracker.read_text()) if tracker.exists() else 0


def until_killed(command: list[str], run: Path, *, minutes: float, killed: Callable[[], bool] = lambda: False) -> bool:
    """Run the command until `killed` says so; True if it was killed, False if it ended by itself.

    RuntimeError if it failed or ran into the time limit. What is left of it is ended.
    """
    run.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    deadline = time.monotonic() + 60 * minutes
    with (run / "train.log").open("a") as log:
        environment = {**os.environ, **ENVIRONMENT, MARK: mark}
        process = subprocess.Popen(command, stdout=log, stderr=log, env=environment, start_new_session=True)
    try:
        while process.poll() is None and time.monotonic() < deadline:
            if killed():
                kill_all(process.pid)
                return True
            time.sleep(0.05)
        if process.poll() != 0:
            raise RuntimeError(f"the run ended with {process.poll()} (None: time limit); see {run}/train.log")
        return False
    finally:
        end_marked(mark)


def some_time_after_a_step(run: Path, delay: float) -> Callable[[], bool]:
    """True from `delay` seconds after the first step that a run, which starts now, logs."""
    log_before, saved = identity(run), saved_step(run)
    first: list[float] = []

    def passed() -> bool:
        # A resumed run first drops the steps after its checkpoint, in a file of its own.
        if not first and identity(run) != log_before and last_step(run) > saved:
            first.append(time.monotonic())
        return bool(first) and time.monotonic() - first[0] >= delay

    return passed


def kill_all(pid: int) -> None:
    """SIGKILL to the driver and all that it started, as when a machine dies."""
    family = [psutil.Process(pid), *psutil.Process(pid).children(recursive=True)]
    for process in family:
        try:
            process.kill()
        except psutil.NoSuchProcess:
            continue


def difference(one: dict, other: dict) -> tuple[float, str]:
    """Largest difference of two steps' metrics, relative above 1, and the metric's name; a missing metric is inf."""
    worst = (0.0, "")
    for name in sorted(one.keys() | other.keys()):
        if any(part in name for part in NOT_COMPARED) or isinstance(one.get(name), dict):
            continue
        a, b = one.get(name), other.get(name)
        if a is None or b is None:
            gap = 0.0 if name in one and name in other and a is b else math.inf
        else:
            gap = abs(a - b) / max(1.0, abs(a), abs(b))
        if gap > worst[0]:
            worst = (gap, name)
    return worst


def compare(whole: Path, killed: Path, resumed: Sequence[int]) -> list[float]:
    """Print a line per step; the differences of the steps that follow a resume, one per resume."""
    ours = {entry["step"]: entry for entry in read(killed / "metrics.jsonl")}
    gaps = {}
    for entry in read(whole / "metrics.jsonl"):
        gaps[entry["step"]], name = difference(entry, ours.get(entry["step"], {}))
        after = "  after a kill" if entry["step"] in resumed else ""
        print(f"step {entry['step']:3d}{after:14s}  {gaps[entry['step']]:.1e}  {name}")
    return [gaps[step] for step in resumed if step in gaps]


def judge(gaps: Sequence[float], kills: int) -> int:
    """Exit code."""
    if len(gaps) < kills:
        print(f"{len(gaps)} resumed steps were compared, not {kills}: name another --out, or give more --steps")
        return 1
    return 0 if all(gap <= TOLERANCE for gap in gaps) else 1


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True)
    parser.add_argument("--kills", type=int, default=10)
    parser.add_argument("--steps", type=int, help="default: two per kill, and two")
    parser.add_argument("--seed", type=int, default=0, help="of the moments of the kills")
    parser.add_argument("--minutes", type=float, default=15, help="limit of each start")
    parser.add_argument("overrides", nargs="*")
    options = parser.parse_args()
    steps = options.steps or 2 * options.kills + 2
    whole, killed = options.out / "whole", options.out / "killed"
    moments, resumed = random.Random(options.seed), []

    if last_step(whole) < steps:
        command = training_command(options.prepared, whole, steps, options.overrides)
        until_killed(command, whole, minutes=options.minutes)
    step_seconds = sorted(entry["timing_s/step"] for entry in read(whole / "metrics.jsonl"))[steps // 2]
    command = training_command(options.prepared, killed, steps, options.overrides)
    for number in range(1, options.kills + 1):
        delay = moments.uniform(0, 1.5 * step_seconds)
        moment = some_time_after_a_step(killed, delay)
        if not until_killed(command, killed, minutes=options.minutes, killed=moment):
            print(f"the run was over before kill {number}")
            break
        resumed.append(saved_step(killed) + 1)
        print(f"kill {number}: {delay:.1f} s after a step, goes on from step {saved_step(killed)}", flush=True)
    if last_step(killed) < steps:
        until_killed(command, killed, minutes=options.minutes)
    return judge(compare(whole, killed, resumed), options.kills)


if __name__ == "__main__":
    sys.exit(main())
