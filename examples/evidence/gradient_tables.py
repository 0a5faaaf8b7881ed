"""Tables of what task_gradients.py measured. A figure is the mean of the draws ± their standard deviation."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))
from arms import TITLES
from cells import cell, table
from records import load

OWN = "own"
"""Estimator and reward as the run had them."""
Measured = Mapping[str, Any]
Figures = Mapping[str, Any]
"""One estimator's, in one draw."""


def shares(figures: Figures) -> np.ndarray:
    """Norm of each task's gradient over the sum of the norms, tasks in alphabetical order; float dust counts as 0."""
    norms = np.array([figures["norm"][task] for task in sorted(figures["norm"])])
    own = norms / norms.sum() if norms.sum() > 0 else norms
    return np.where(own < 1e-6, 0.0, own)


def variation(figures: Figures) -> float:
    """Coefficient of variation of the shares."""
    return float(stats.variation(shares(figures)))


def ratio(figures: Figures) -> float:
    """Largest share over the smallest that is not 0."""
    own = shares(figures)
    return float(own.max() / own[own > 0].min()) if own.max() > 0 else float("nan")


def without_gradient(figures: Figures) -> float:
    return float((shares(figures) == 0).sum())


def silent_push(figures: Figures) -> float:
    """Norm of the gradient of groups without signal over that of the whole batch."""
    return figures["silent_push"] / figures["whole"] if figures["whole"] else float("nan")


def agreement(figures: Figures) -> float:
    """Norm of the summed gradient over the sum of the norms: 1 where all tasks pull the same way."""
    total = sum(figures["norm"].values())
    return figures["whole"] / total if total else float("nan")


SUMMARY: dict[str, Callable[[Figures], float]] = {
    "coefficient of variation of the shares": variation,
    "largest / smallest above 0": ratio,
    "tasks without gradient": without_gradient,
    "groups without signal, %": lambda figures: 100 * figures["silent_groups"],
    "their share of the weight, %": lambda figures: 100 * figures["silent_weight"],
    "norm of their gradient / whole, %": lambda figures: 100 * silent_push(figures),
    "cosine between tasks, mean": lambda figures: figures.get("cosine", float("nan")),
    "least": lambda figures: figures.get("least_cosine", float("nan")),
    "norm of the sum / sum of the norms": agreement,
}


def over_draws(measured: Sequence[Measured], estimator: str, of: Callable[[Figures], float]) -> list[float]:
    return [of(draw["estimators"][estimator]) for one in measured for draw in one["draws"]]


def summary_table(title: str, rows: Mapping[str, tuple[Sequence[Measured], str]]) -> list[str]:
    """`rows`: label -> what was measured, and which estimator's figures are shown."""
    lines = [
        [label, *(cell(over_draws(measured, name, of)) for of in SUMMARY.values())]
        for label, (measured, name) in rows.items()
    ]
    return table([title, *SUMMARY], lines)


def share_table(measured: Measured) -> list[str]:
    """Shares in percent, tasks by estimators; beside them the sampled accuracy."""
    estimators = list(measured["draws"][0]["estimators"])
    tasks = sorted(measured["draws"][0]["accuracy"])
    rows = []
    for at, task in enumerate(tasks):
        right = [100 * draw["accuracy"][task] for draw in measured["draws"]]
        own = [over_draws([measured], name, lambda figures, at=at: 100 * shares(figures)[at]) for name in estimators]
        rows.append([task, cell(right, 0), *(cell(values, 1) for values in own)])
    return table(["task", "accuracy, %", *estimators], rows)


def arm_shares(runs: Mapping[str, Sequence[Measured]]) -> list[str]:
    """Tasks by arms, over the draws of all runs."""
    tasks = sorted(next(iter(runs.values()))[0]["draws"][0]["accuracy"])
    rows = [
        [
            task,
            *(cell(over_draws(own, OWN, lambda figures, at=at: 100 * shares(figures)[at]), 1) for own in runs.values()),
        ]
        for at, task in enumerate(tasks)
    ]
    return table(["task", *(f"{arm} ({len(own)})" for arm, own in runs.items())], rows)


def page(warm: Measured, runs: Mapping[str, Sequence[Measured]]) -> list[str]:
    """`runs`: title of an arm -> what was measured of its runs, by seed."""
    estimators = list(warm["draws"][0]["estimators"])
    made_with = ", ".join(f"{name} {number}" for name, number in warm["versions"].items())
    text = [
        "# Policy gradient of every task",
        "",
        f"Made by `python examples/evidence/task_gradients.py` at commit {warm['commit'][:10]} ({made_with}): "
        f"{len(warm['draws'])} draws (seeds {warm['seeds']}) of {warm['prompts']} prompts of every task x "
        f"{warm['responses']} responses; after training, of every stored run. Figures are means of the draws ± their "
        "standard deviation. A task's share is the norm of its gradient over the sum of the tasks' norms; the norm of "
        "one draw's gradient holds its noise too.",
        "",
        "## The warm-started model: share of every task, %",
        "",
        *share_table(warm),
        "## The warm-started model: spread, groups without signal, direction",
        "",
        *summary_table("estimator", {name: ([warm], name) for name in estimators}),
    ]
    if runs:
        text += ["## After training: share of every task, %, each arm's own estimator and reward", ""]
        text += arm_shares(runs)
        text += ["## After training, each arm's own estimator and reward on its own policy", ""]
        text += summary_table("arm (runs)", {f"{arm} ({len(own)})": (own, OWN) for arm, own in runs.items()})
        text += ["## After training, all estimators on the policies of those runs, reward without shaping", ""]
        pooled = [one for own in runs.values() for one in own]
        text += summary_table("estimator", {name: (pooled, name) for name in estimators})
    return text


def write(results: Path) -> list[str]:
    """results/gradients.md from gradients.json and the stored runs."""
    warm = json.loads((results / "gradients.json").read_text())
    measured = {arm: [one["gradients"] for one in own if one.get("gradients")] for arm, own in load(results).items()}
    text = page(warm, {TITLES[arm]: own for arm, own in measured.items() if own})
    (results / "gradients.md").write_text("\n".join(text))
    return text
