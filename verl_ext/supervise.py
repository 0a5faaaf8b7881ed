"""Run a training command under a time limit, show its progress, and end everything that it started.

    python -m verl_ext.supervise --run RUN --steps 40 --minutes 30 -- python -m verl_ext.main_ppo …

The command's output goes to RUN/train.log; progress is read from RUN/metrics.jsonl. Ray leaves daemons behind when its
driver is killed, so every process started here carries a mark in its environment and is ended by it.
"""

from __future__ import annotations

import argparse
import contextlib
import fcntl
import os
import signal
import subprocess
import sys
import time
import uuid
from pathlib import Path
from typing import Any

import psutil
from tqdm import tqdm

from verl_ext import run_log

MARK = "VERL_EXT_SUPERVISED"
STARTING = "starting Ray, vLLM and FSDP"
GRACE_SECONDS = 20
TIMED_OUT, INTERRUPTED, IN_USE = 124, 130, 75


def supervise(command: list[str], *, run: Path, steps: int, minutes: float) -> int:
    """Exit code of the command; 124 after the time limit, 130 after an interrupt, 75 where another supervisor is at
    work in the folder. Checkpoints stay for a resume."""
    run.mkdir(parents=True, exist_ok=True)
    # Not inherited by the command, so that nothing which outlives this process keeps it.
    with (run / "supervise.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            print(f"another process is training into {run}: wait for its end, or name another folder", file=sys.stderr)
            return IN_USE
        except OSError:  # a file system without locks
            pass
        return _supervise(command, run=run, steps=steps, minutes=minutes)


def _supervise(command: list[str], *, run: Path, steps: int, minutes: float) -> int:
    mark = uuid.uuid4().hex
    log = run / "train.log"
    deadline = time.monotonic() + 60 * minutes
    interrupted: list[int] = []
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda number, _frame: interrupted.append(number))
    with log.open("a") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, MARK: mark}, start_new_session=True
        )
    metrics = run / "metrics.jsonl"
    before = run_log.last(metrics)
    done = before["step"] if before else 0
    try:
        with tqdm(total=steps, initial=done, desc=STARTING, unit="step") as bar:
            while process.poll() is None and not interrupted and time.monotonic() < deadline:
                _show(bar, run_log.last(metrics), before)
                time.sleep(0.5)
            _show(bar, run_log.last(metrics), before)
    finally:
        code = process.poll()
        end_marked(mark)
    if interrupted:
        print(f"interrupted; the same command goes on from the last checkpoint in {run}", file=sys.stderr)
        return INTERRUPTED
    if code is None:
        print(f"stopped at the limit of {minutes:g} minutes; the same command goes on from there", file=sys.stderr)
        return TIMED_OUT
    if code:
        print(f"the command failed with exit code {code}; the end of {log}:\n", file=sys.stderr)
        print("\n".join(log.read_text(errors="replace").splitlines()[-40:]), file=sys.stderr)
    return code


def _show(bar: tqdm, last: dict[str, Any] | None, before: dict[str, Any] | None) -> None:
    """`last` and `before`: what the metrics end with now, and ended with before the launch."""
    if last is None or last == before:
        return
    if bar.desc.startswith(STARTING):  # from here on: the rate is that of training, without the launch
        bar.set_description("training", refresh=False)
        bar.initial, bar.start_t = last["step"], time.time()
    if last["step"] != bar.n:
        bar.n = last["step"]
        shown = {"reward": "critic/score/mean", "tokens": "response_length/mean", "s/step": "timing_s/step"}
        bar.set_postfix({name: f"{last[key]:.2f}" for name, key in shown.items() if last.get(key) is not None})
        bar.refresh()


def end_marked(mark: str) -> None:
    """Terminate every process that carries the mark, and its descendants; kill what is left after 20 s."""
    doomed = marked(mark)
    for process in doomed:
        _signal(process, signal.SIGTERM)
    psutil.wait_procs(doomed, timeout=GRACE_SECONDS)
    for process in {*marked(mark), *(one for one in doomed if one.is_running())}:
        _signal(process, signal.SIGKILL)


def marked(mark: str) -> list[psutil.Process]:
    found: set[psutil.Process] = set()
    for process in psutil.process_iter():
        try:
            if process.environ().get(MARK) == mark:
                # Processes that renamed themselves (Ray and vLLM do) may have lost their environment, not their parent.
                found |= {process, *process.children(recursive=True)}
        except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess, ValueError):
            continue
    return [process for process in found if process.pid != os.getpid()]


def _signal(process: psutil.Process, number: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        process.send_signal(number)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m verl_ext.supervise", description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="run folder, with metrics.jsonl and train.log")
    parser.add_argument("--steps", type=int, required=True, help="steps of the whole training, for the progress bar")
    parser.add_argument("--minutes", type=float, required=True, help="time limit")
    parser.add_argument("command", nargs=argparse.REMAINDER, help="the command, after --")
    options = parser.parse_args()
    command = options.command[1:] if options.command[:1] == ["--"] else options.command
    if not command:
        parser.error("name the command after --")
    return supervise(command, run=options.run, steps=options.steps, minutes=options.minutes)


if __name__ == "__main__":
    sys.exit(main())
