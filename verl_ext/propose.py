"""Static envelopes and entropy bands for each task, proposed from a baseline run.

    python -m verl_ext.propose RUN [--out overrides.yaml]

Reads RUN/metrics.jsonl and, if there, every RUN/validation/*.jsonl, whose lines hold `task`, `accuracy`, a token count
and `truncated` (verl's files of rollouts do not hold what the reward returned). Prints a table of the figures, the
Hydra overrides, and the YAML block that `--out` writes.

- Envelope: from 20 correct responses on, the target that an automatic envelope would have for their lengths
  (verl_ext/auto_envelope.py); with fewer, the same margins round the mean length in training, up to its 95th
  percentile.
- Band: from half the least to one and a half times the largest entropy of the task's first steps (a tenth of the run,
  at least 5; 5 % and 95 % quantiles), in which the model is what it was. A step sees a few of a task's responses, and
  those scatter: a band round the mean leaves some of the model's own ways outside, and the penalty ends them.

A run with `length_weight: 0` and `entropy_coeff: 0` is a baseline; the lengths of a shaped run show its shaping too.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from reward_fns.score import RIGHT
from reward_fns.settings import Envelope
from verl_ext import run_log
from verl_ext.auto_envelope import AutoEnvelopeSettings, target
from verl_ext.summary import read_jsonl

LEAST_RESPONSES = 20
LEAST_STEPS = 5
SCATTER = (0.05, 0.95)
BAND = (0.5, 1.5)
_METRIC = re.compile(r"task/(.+)/(entropy|response_length/mean|response_length/p95)$")


@dataclass(frozen=True)
class Proposal:
    """What a task should get, and what it comes from; None where the run does not tell."""

    envelope: list[int] | None
    source: str
    """What the envelope comes from."""
    lengths: tuple[float, float, float] | None
    """5 %, median and 95 % of the correct lengths, or mean, mean and 95 % of all."""
    band: list[float] | None
    entropy: tuple[float, float] | None
    """Median over the first and over the last steps, in nats."""


def propose(run: Path) -> dict[str, Proposal]:
    """Proposals by task in alphabetical order; ValueError where the run shows none."""
    series, limit = training_series(run / "metrics.jsonl"), response_limit(run)
    lengths = correct_lengths(run)
    tasks = sorted({*series, *lengths})
    if not tasks:
        raise ValueError(f"{run}: neither task/… metrics nor validation responses; is it a run folder of verl_ext?")
    return {task: _propose(series.get(task, {}), lengths.get(task, []), limit) for task in tasks}


def training_series(path: Path) -> dict[str, dict[str, list[float]]]:
    """{task: {metric: values by step}} of the metrics that are wanted here."""
    series: dict[str, dict[str, list[float]]] = defaultdict(lambda: defaultdict(list))
    for entry in run_log.read(path) if path.exists() else []:
        for name, value in entry.items():
            if value is not None and (found := _METRIC.match(name)):
                series[found[1]][found[2]].append(float(value))
    return series


def correct_lengths(run: Path) -> dict[str, list[int]]:
    """{task: lengths in tokens of right answers that were not cut off} over all steps."""
    lengths: dict[str, list[int]] = defaultdict(list)
    for path in sorted(run.glob("validation/*.jsonl")):
        for _number, row in read_jsonl(path):
            tokens = (row or {}).get("length_tokens", (row or {}).get("response_tokens"))
            if tokens is None or tokens < 0 or "task" not in row or row.get("truncated"):
                continue
            if (row.get("accuracy") or 0.0) >= RIGHT:
                lengths[row["task"]].append(int(tokens))
    return lengths


def response_limit(run: Path) -> int:
    """Longest response of the run in tokens, by its config.yaml; without one there is no limit."""
    if not (run / "config.yaml").exists():
        return sys.maxsize
    data = (yaml.safe_load((run / "config.yaml").read_text()) or {}).get("data") or {}
    limit = data.get("max_response_length")
    return limit if isinstance(limit, int) else sys.maxsize


def _propose(series: Mapping[str, Sequence[float]], lengths: Sequence[int], limit: int) -> Proposal:
    envelope, source, shown = None, "-", None
    settings, limits = AutoEnvelopeSettings(), Envelope(0, 0, limit, limit)
    if len(lengths) >= LEAST_RESPONSES:
        envelope, source = target(lengths, limits, settings), f"{len(lengths)} correct"
        shown = _three(np.quantile(lengths, (0.05, 0.5, 0.95)))
    elif series.get("response_length/mean"):
        mean = float(np.mean(series["response_length/mean"]))
        longest = float(np.mean(series.get("response_length/p95") or [mean]))
        envelope, source, shown = target([mean], limits, settings), "training mean", (mean, mean, longest)
        envelope[3] = min(max(envelope[3], longest), limit)
    band, entropy = None, None
    if values := series.get("entropy"):
        steps = max(LEAST_STEPS, len(values) // 10)
        entropy = (float(np.median(values[:steps])), float(np.median(values[-steps:])))
        least, largest = np.quantile(values[:steps], SCATTER)
        low = max(round(BAND[0] * float(least), 2), 0.01)
        band = [low, max(round(BAND[1] * float(largest), 2), round(low + 0.01, 2))]
    whole = None if envelope is None else [int(bound + 0.5) for bound in envelope]
    return Proposal(whole, source, shown, band, entropy)


def _three(values: Sequence[float]) -> tuple[float, float, float]:
    low, middle, high = (float(value) for value in values)
    return low, middle, high


def block(proposals: Mapping[str, Proposal]) -> dict[str, Any]:
    """`{verl_ext: {tasks: {task: {envelope, entropy_band}}}}`."""
    tasks = {}
    for task, one in proposals.items():
        values = {"envelope": one.envelope, "entropy_band": one.band}
        tasks[task] = {name: value for name, value in values.items() if value is not None}
    return {"verl_ext": {"tasks": tasks}}


def overrides(proposals: Mapping[str, Proposal]) -> list[str]:
    """Hydra overrides, one a task; `++` adds its keys or replaces them. A key's path could not hold `refcoco+`."""
    tasks = block(proposals)["verl_ext"]["tasks"]
    shown = {task: ",".join(f"{name}:{value}" for name, value in values.items()) for task, values in tasks.items()}
    return [f"'++verl_ext.tasks={{{task}:{{{values}}}}}'".replace(" ", "") for task, values in shown.items() if values]


def table(proposals: Mapping[str, Proposal]) -> str:
    """The proposals and the figures that they come from, as aligned text."""
    head = ("task", "lengths from", "5 %", "median", "95 %", "envelope", "entropy: first", "last", "band")
    lines = [head]
    for task, one in proposals.items():
        lengths = tuple(f"{value:.0f}" for value in one.lengths) if one.lengths else ("-",) * 3
        entropy = tuple(f"{value:.2f}" for value in one.entropy) if one.entropy else ("-",) * 2
        lines.append((task, one.source, *lengths, str(one.envelope or "-"), *entropy, str(one.band or "-")))
    widths = [max(len(line[column]) for line in lines) for column in range(len(head))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines
    )


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m verl_ext.propose", description=__doc__.splitlines()[0])
    parser.add_argument("run", type=Path, help="folder of the baseline run")
    parser.add_argument(
        "--out",
        type=Path,
        help="file for the YAML block; main_ppo `--config-dir DIR +recipe=NAME` for DIR/recipe/NAME.yaml",
    )
    options = parser.parse_args(argv)
    try:
        proposals = propose(options.run)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    text = "# @package _global_\n" + yaml.safe_dump(block(proposals), sort_keys=False, default_flow_style=None)
    print(table(proposals), "", "Overrides:", " \\\n".join(overrides(proposals)), "", text, sep="\n")
    if options.out:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        options.out.write_text(text)


if __name__ == "__main__":
    main()
