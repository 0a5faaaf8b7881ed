"""Where the time of a run went: its start, from the time stamps of train.log, and its steps, from verl's timers in
metrics.jsonl.

    python examples/benchmarks/step_profile.py RUN [RUN ...]

The stamps are those that the log happens to have, on the driver and its actors: good to a few seconds.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from reward_fns.score import compute_score
from verl_ext.run_log import read

STAMP = re.compile(r"(\d{4}-\d\d-\d\d \d\d:\d\d:\d\d)[.,](\d{3})")
ROWS = re.compile(r"task/.+/rows")
LAUNCH = "ray init kwargs"
# What a phase of the start ends with -> what the phase is. Fixed texts of Ray and verl 0.9.1.
START = {
    "Started a local Ray instance": "Ray",
    "dataloader initialized": "trainer process: imports, configuration, data",
    "create worker group": "placement of the workers",
    "model engine initialized": "actor process: imports, model, FSDP",
    "reward loop manager initialized": "reward workers (they go on starting in the background)",
    "checkpoint engine manager initialized": "rollout server (vLLM: imports in its processes), agent loop",
    "Training Progress:   0%": "first weights to the rollout, validation before training",
}
# verl's timers of a step, which follow one another: `timing_s/<name>` -> what it is.
STEP = {
    "gen": "generation, with reading images and rewards",
    "reward": "rewards after generation",
    "old_log_prob": "log-probabilities and entropies before the update",
    "ref": "reference policy",
    "adv": "labels and advantages",
    "update_actor": "actor update",
    "update_weights": "weights to the rollout",
    "save_checkpoint": "checkpoint",
}


def start_phases(log: str) -> list[tuple[str, float]]:
    """(phase, seconds) of the last start in the log, as far as it came; [] where no start is found."""
    lines = log.splitlines()
    launches = [at for at, line in enumerate(lines) if LAUNCH in line]
    if not launches:
        return []
    # The driver stamps its imports before the launch. An actor's stamp there is of the start before, hours ago perhaps.
    before = [line for line in lines[: launches[-1]] if stamp_of(line)]
    latest = stamp_of(before[-1]) if before and "pid=" not in before[-1] else None
    waiting, phases, last = dict(START), [], latest
    for line in lines[launches[-1] :]:
        stamp = stamp_of(line)
        latest = max(latest or stamp, stamp) if stamp else latest
        last = last or latest
        found = next((text for text in waiting if text in line), None)
        if found and latest and last:
            phases.append((waiting.pop(found), (latest - last).total_seconds()))
            last = latest
    return phases


def stamp_of(line: str) -> datetime | None:
    found = STAMP.search(line)
    return datetime.fromisoformat(f"{found[1]}.{found[2]}") if found else None


def step_phases(entries: Sequence[dict[str, Any]]) -> list[tuple[str, np.ndarray]]:
    """(phase, seconds of every step (S,)): the timers that the run has, then `other`, then `step`.

    A timer that a step lacks (a checkpoint in every tenth) is 0 there. ValueError where no step was timed.
    """
    steps = [entry for entry in entries if entry.get("timing_s/step") is not None]
    if not steps:
        raise ValueError("metrics.jsonl has no step with timing_s/step: let the run make a step first")
    whole = np.array([entry["timing_s/step"] for entry in steps])
    phases = []
    for name, title in STEP.items():
        if any(f"timing_s/{name}" in entry for entry in steps):
            phases.append((title, np.array([entry.get(f"timing_s/{name}") or 0.0 for entry in steps])))
    rest = whole - sum((seconds for _, seconds in phases), np.zeros_like(whole))
    return [*phases, ("other", rest), ("step", whole)]


def rewards_line(entries: Sequence[dict[str, Any]]) -> str:
    """verl times rewards by themselves only where they are computed after generation."""
    steps = [entry for entry in entries if entry.get("timing_s/step") is not None]
    alone = [entry["timing_s/reward"] for entry in steps if "timing_s/reward" in entry]
    if alone:
        return f"Rewards are computed after generation, {np.mean(alone):.2f} s a step: they do not hide behind it."
    return f"No step of {len(steps)} has a timer `reward`: responses are judged inside `gen`, each as it ends."


def judged_again(run: Path, entries: Sequence[dict[str, Any]]) -> list[str]:
    """Time of the rewards of one step, from judging the run's last logged validation again, beside `gen`."""
    files = sorted((run / "validation").glob("*.jsonl"), key=lambda path: int(path.stem))
    gen = [entry["timing_s/gen"] for entry in entries if entry.get("timing_s/gen")]
    responses = [sum(v for k, v in entry.items() if ROWS.fullmatch(k)) for entry in entries if "timing_s/gen" in entry]
    if not files or not gen or not sum(responses):
        return []
    rows, spent, wrong, skipped = [json.loads(line) for line in files[-1].read_text().splitlines()], 0.0, 0, 0
    for row in rows:
        begun = time.perf_counter()
        try:
            extra = {"task": row["task"], "response_tokens": row["response_tokens"]}
            accuracy = compute_score(row["task"], row["output"], row["gts"], extra)["accuracy"]
        except (KeyError, ValueError):  # a task whose verifier needs the row's `info`, which verl does not log
            skipped += 1
            continue
        spent += time.perf_counter() - begun
        wrong += abs(accuracy - row["accuracy"]) > 1e-6
    if skipped == len(rows):
        return []
    each, count = spent / (len(rows) - skipped), np.mean(responses)
    return [
        f"Judging {files[-1].name} again takes {1e3 * each:.2f} ms a response ({wrong} of {len(rows) - skipped} "
        f"judged otherwise, {skipped} without `info` left out): {each * count:.2f} s for the {count:.0f} responses "
        f"of a step, {100 * each * count / np.mean(gen):.1f} % of `gen`."
    ]


def table(phases: Sequence[tuple[str, float]], total: float, spreads: Sequence[str] | None = None) -> list[str]:
    lines = [f"{'':<66}{'mean s':>9}{'share':>8}" + (f"{'least to largest':>22}" if spreads else "")]
    for at, (title, seconds) in enumerate(phases):
        tail = f"{spreads[at]:>22}" if spreads else ""
        lines.append(f"{title:<66}{seconds:>9.2f}{100 * seconds / total:>6.1f} %{tail}")
    return lines


def describe(run: Path) -> list[str]:
    entries, log = read(run / "metrics.jsonl"), run / "train.log"
    lines = [str(run), ""]
    start = start_phases(log.read_text(errors="replace")) if log.exists() else []
    if start:
        total = sum(seconds for _, seconds in start)
        lines += [f"Start: {total:.0f} s from launch to the first step", *table(start, total), ""]
    steps = step_phases(entries)
    means = [(title, float(seconds.mean())) for title, seconds in steps]
    spreads = [f"{seconds.min():.2f} to {seconds.max():.2f}" for _, seconds in steps]
    lines += [f"Steps: {len(steps[-1][1])}", *table(means, means[-1][1], spreads), "", rewards_line(entries)]
    lines += judged_again(run, entries)
    if tests := [entry["timing_s/testing"] for entry in entries if entry.get("timing_s/testing")]:
        lines += [
            f"Validation during training, outside of the steps: {np.mean(tests):.1f} s each, {len(tests)} of them."
        ]
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("runs", type=Path, nargs="+", metavar="RUN", help="run folder with metrics.jsonl and train.log")
    for at, run in enumerate(parser.parse_args().runs):
        if not (run / "metrics.jsonl").exists():
            print(f"{run} has no metrics.jsonl; give the folder of a run (verl_ext.run_dir)", file=sys.stderr)
            return 1
        print("\n".join([*([""] if at else []), *describe(run)]))
    return 0


if __name__ == "__main__":
    sys.exit(main())
