"""One start of a run with a fault in it: strikes, waits, and says what was seen. For faults.py."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import psutil

from verl_ext.run_log import read
from verl_ext.supervise import MARK, end_marked, marked

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from fault_cases import Case

from examples.kill_and_resume import ENVIRONMENT, TOLERANCE

STEPS = 4
STOP_SECONDS = 60
"""A run that the fault stops must be over by then."""
HUNG_SECONDS = 180
"""Without a new step or an end for so long after the fault, the run hangs."""
LAUNCH_SECONDS = 480
"""The same for a fault that is there when the run is started: Ray, vLLM and FSDP have to start first."""
LIMIT_SECONDS = 600


@dataclass(frozen=True)
class Seen:
    """What one start of a run did."""

    code: int | None
    """Exit code; None: it hung and was ended."""
    seconds: float | None
    """From the fault to the end, or to the last step of a run that went on; None without a fault."""
    said: list[str]
    """Lines of ours in its log."""


def verdict(first: Seen, again: Seen | None, steps: list[int], gap: float | None, says: str = "") -> tuple[bool, str]:
    """Whether what must hold does, and why not. `again`: the resumed start; `gap`: to the undisturbed run's metrics;
    `says`: the case's."""
    if first.code is None or (again is not None and again.code is None):
        return False, "hung"
    if first.code != 0 and (first.seconds is None or first.seconds > STOP_SECONDS):
        return False, f"stopped after {first.seconds} s, over {STOP_SECONDS}"
    if says and not any(re.search(says, line, re.DOTALL) for line in first.said):
        return False, f"no message of this fault: {says}"
    if again is None and first.code != 0:
        return True, "holds: refused before anything had started"
    if again is not None and again.code != 0:
        return False, f"did not resume (exit code {again.code})"
    if steps != list(range(1, STEPS + 1)):
        return False, f"steps in the metrics: {steps}"
    if gap is not None and gap > TOLERANCE:
        return False, f"steps differ from the undisturbed run's by {gap:.1e}"
    return True, "holds"


def ours_in(log: str) -> list[str]:
    """Messages of verl_ext in a log, each once, without the process that Ray puts before."""
    found = re.findall(r"TimeoutError: (the reward of row .*)", log) + re.findall(r"verl_ext: .*(?:\n  - .*)*", log)
    return [line.strip()[:600] for line in dict.fromkeys(found)][:6]


def watch_run(
    command: list[str],
    run: Path,
    environment: Mapping[str, str],
    *,
    begins: Callable[[], bool],
    strike: Callable[[str], None] = lambda mark: None,
) -> Seen:
    """Start the command; when the fault `begins`, `strike`; wait for its end, at most until it hangs."""
    run.mkdir(parents=True, exist_ok=True)
    mark, log = uuid.uuid4().hex, run / "train.log"
    before, start = log.stat().st_size if log.exists() else 0, time.monotonic()
    struck = stepped = None
    with log.open("a") as output:
        process = subprocess.Popen(
            command, stdout=output, stderr=output, env={**os.environ, **ENVIRONMENT, **environment, MARK: mark},
            start_new_session=True,
        )  # fmt: skip
    try:
        known = steps_of(run)
        while process.poll() is None:
            now = time.monotonic()
            if struck is None and begins():
                strike(mark)
                struck = time.monotonic()
            elif (steps := steps_of(run)) != known:
                known = steps
                stepped = now if struck else None
            quiet = now - max(struck or now, stepped or 0)
            launching = stepped is None and struck is not None and struck - start < 1
            if quiet > (LAUNCH_SECONDS if launching else HUNG_SECONDS) or now - start > LIMIT_SECONDS:
                break
            time.sleep(0.05)
        ended = time.monotonic()
        code = process.poll()
    finally:
        end_marked(mark)
    seconds = None if struck is None else round((stepped if code == 0 and stepped else ended) - struck, 1)
    said = ours_in(log.read_bytes()[before:].decode(errors="replace"))
    return Seen(code, seconds, said)


def steps_of(run: Path) -> list[int]:
    log = run / "metrics.jsonl"
    try:
        return [entry["step"] for entry in read(log)]
    except (FileNotFoundError, ValueError):  # a resumed run writes its file anew
        return []


def killing(case: Case) -> Callable[[str], None]:
    def strike(mark: str) -> None:
        time.sleep(case.delay)
        for process in marked(mark):
            try:
                if case.kills == "all" or case.kills in " ".join(process.cmdline()):
                    process.kill()
            except psutil.NoSuchProcess:
                continue

    return strike
