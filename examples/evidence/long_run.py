"""Does a long run leak? Watches every process of a run and says what grows after the warm-up, with an interval.

    export OUT=runs/long STEPS=200 MINUTES=90      # read by the quickstart
    python examples/evidence/long_run.py watch --run runs/long -- bash examples/quickstart.sh
    python examples/evidence/long_run.py report --run runs/long

`watch` starts the command (a script that trains into RUN) and appends a sample of each of its processes every 10 s to
RUN/processes.jsonl: resident and proportional memory, open files, threads. `report` reads that and RUN/metrics.jsonl.
Growth is a slope per step by least squares over means of blocks of samples, with a 95 % interval from these blocks,
which are nearly independent where single samples are not. Exit code 1 if a process grows, or metrics have gaps.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import time
import uuid
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import psutil
from scipy.stats import t as student

from verl_ext import run_log
from verl_ext.run_log import read
from verl_ext.supervise import MARK, end_marked, marked

SECONDS = 10.0
WARMUP = 0.25
"""Share of the run, in steps, that is no growth: caches fill, allocators reach their size."""
BLOCKS = 12
SHARE = 0.10
"""Memory that grows by less than this over a run as long as the one that is measured is flat."""
LIMITS = {"uss": None, "rss": None, "files": 5.0, "threads": 5.0}
"""What growth over the measured part counts beside memory, where it is above chance."""


def sample(process: psutil.Process) -> dict[str, Any] | None:
    """What a process holds now; None if it is gone."""
    try:
        with process.oneshot():
            memory = process.memory_full_info()
            return {
                "pid": process.pid,
                "name": name_of(process.cmdline() or [process.name()]),
                "rss": memory.rss,
                "pss": memory.pss,
                "uss": memory.uss,
                "files": process.num_fds(),
                "threads": process.num_threads(),
            }
    except (psutil.NoSuchProcess, psutil.AccessDenied, psutil.ZombieProcess):
        return None


def name_of(command: Sequence[str]) -> str:
    """A short name that stays the same over the run: Ray puts the method that it runs behind an actor's name."""
    first = " ".join(command)
    if match := re.match(r"(ray::\w+|VLLM::\w+)", first):
        return match[1]
    if "-m" in command and (at := command.index("-m") + 1) < len(command):
        return f"-m {command[at]}"
    scripts = (Path(part).name for part in command[1:] if part.endswith((".py", ".sh")))
    return next(scripts, Path(command[0].split(" ")[0]).name)[:40]


def watch(command: list[str], run: Path, seconds: float = SECONDS) -> int:
    """Run the command and sample it; its exit code."""
    run.mkdir(parents=True, exist_ok=True)
    mark = uuid.uuid4().hex
    process = subprocess.Popen(command, env={**os.environ, MARK: mark})
    try:
        with (run / "processes.jsonl").open("a") as file:
            while process.poll() is None:
                moment, step = time.time(), last_step(run)
                for one in marked(mark):
                    if found := sample(one):
                        file.write(json.dumps({"time": moment, "step": step, **found}) + "\n")
                file.flush()
                try:
                    process.wait(seconds)
                except subprocess.TimeoutExpired:
                    continue
        return process.returncode
    finally:
        end_marked(mark)


def last_step(run: Path) -> int:
    entry = run_log.last(run / "metrics.jsonl")
    return entry["step"] if entry else 0


@dataclass(frozen=True)
class Growth:
    process: str
    what: str
    level: float
    """Mean after the warm-up, in bytes or pieces."""
    slope: float
    """Per step."""
    half: float
    """Half of the 95 % interval of the slope."""
    steps: int
    """That were measured."""

    @property
    def grows(self) -> bool:
        """Above chance, and by more over the measured steps than what is flat."""
        limit = LIMITS[self.what] or SHARE * self.level
        return self.slope - self.half > 0 and self.slope * self.steps > limit


def growth(process: str, what: str, steps: Sequence[float], values: Sequence[float]) -> Growth | None:
    """None where the process did not live long enough after the warm-up: fewer than two samples a block."""
    x, y = np.asarray(steps, dtype=float), np.asarray(values, dtype=float)
    if len(x) < 2 * BLOCKS or x[-1] == x[0]:
        return None
    x, y = (np.array([part.mean() for part in np.array_split(each, BLOCKS)]) for each in (x, y))
    spread = ((x - x.mean()) ** 2).sum()
    slope = ((x - x.mean()) * (y - y.mean())).sum() / spread
    rest = y - y.mean() - slope * (x - x.mean())
    error = np.sqrt((rest**2).sum() / (BLOCKS - 2) / spread)
    half = float(student.ppf(0.975, BLOCKS - 2) * error)
    return Growth(process, what, float(y.mean()), float(slope), half, round(float(steps[-1] - steps[0])))


def growths(samples: Sequence[Mapping[str, Any]]) -> Iterator[Growth]:
    """Of every process with samples enough in the measured part; shared pages are in rss, uss is the process's own."""
    last = max((one["step"] for one in samples), default=0)
    series: dict[tuple[str, int], list[Mapping[str, Any]]] = defaultdict(list)
    for one in samples:
        if WARMUP * last < one["step"] <= last:
            series[one["name"], one["pid"]].append(one)
    for (name, pid), own in sorted(series.items()):
        for what in LIMITS:
            found = growth(f"{name} ({pid})", what, [one["step"] for one in own], [one[what] for one in own])
            if found:
                yield found


def gaps(entries: Sequence[Mapping[str, Any]]) -> list[str]:
    """Steps that are not there, and metrics that a step lacks though steps before and after it have them.

    Metrics of single tasks come with the tasks that a batch holds, those of validations and of saving with these.
    """
    steps = [entry["step"] for entry in entries]
    first = 0 if 0 in steps else 1
    missing = sorted(set(range(first, max(steps, default=0) + 1)) - set(steps))
    found = [f"step {step} is missing" for step in missing]
    training = [entry for entry in entries if "training/global_step" in entry]
    everywhere = set().union(*training) if training else set()
    seldom = re.compile(r"^(task|category|val|val-core|val-aux|sampling|filter)/|timing_.*/(save_checkpoint|testing)")
    for name in sorted(name for name in everywhere if not seldom.search(name)):
        lacking = [entry["step"] for entry in training if name not in entry]
        if lacking:
            found.append(f"{name} is missing in {len(lacking)} step(s), first {lacking[0]}")
        empty = [entry["step"] for entry in training if name in entry and entry[name] is None]
        if empty:
            found.append(f"{name} has no value in {len(empty)} step(s), first {empty[0]}")
    return found


def table(found: Sequence[Growth]) -> str:
    lines = ["| process | what | level | growth a step (95 %) | over the measured steps | grows |", "| --- " * 6 + "|"]
    for one in found:
        scale, unit = (2**20, " MiB") if one.what in ("rss", "uss") else (1, "")
        level, slope, half = (value / scale for value in (one.level, one.slope, one.half))
        total = f"{slope * one.steps:+.3g}{unit} in {one.steps}"
        grows = "**yes**" if one.grows else "no"
        lines.append(
            f"| {one.process} | {one.what} | {level:.4g}{unit} | {slope:+.3g} ± {half:.2g}{unit} | {total} | {grows} |"
        )
    return "\n".join(lines)


def report(run: Path) -> int:
    samples = read(run / "processes.jsonl")
    found = list(growths(samples))
    total: dict[float, float] = defaultdict(float)
    for one in samples:
        total[one["time"]] += one["pss"]
    lack = gaps(read(run / "metrics.jsonl"))
    grown = [one for one in found if one.grows]
    print(f"# {last_step(run)} steps, the first {WARMUP:.0%} left out\n\n{table(found)}\n")
    print(f"All processes together: {max(total.values()) / 2**30:.2f} GiB at most (proportional).")
    print(f"Growing: {', '.join(f'{one.process} {one.what}' for one in grown) or 'none'}.")
    print("Metrics: " + ("; ".join(lack) or "all steps and all names there") + ".")
    return 1 if grown or lack or not found else 0


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        usage="long_run.py {watch,report} --run RUN [--seconds SECONDS] [-- COMMAND…]",
    )
    parser.add_argument("what", choices=("watch", "report"))
    parser.add_argument("--run", type=Path, required=True, help="run folder, with metrics.jsonl")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="between samples (default %(default)s)")
    # By hand: argparse's REMAINDER takes the options behind the first word too.
    own, command = sys.argv[1:], []
    if "--" in own:
        at = own.index("--")
        own, command = own[:at], own[at + 1 :]
    options = parser.parse_args(own)
    if options.what == "report":
        return report(options.run)
    if not command:
        parser.error("name the command behind --")
    return watch(command, options.run, options.seconds) or report(options.run)


if __name__ == "__main__":
    sys.exit(main())
