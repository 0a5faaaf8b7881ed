"""Tables of advantages (N,) by estimator, for advantages.py; `signal` (N,) marks responses of groups with signal."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))
from cells import table
from reward_batches import RESPONSES


def moments_table(values: Mapping[str, np.ndarray], signal: np.ndarray) -> list[str]:
    rows = []
    for name, value in values.items():
        own = value[signal]
        figures = (own.mean(), own.std(), stats.skew(own), stats.kurtosis(own, fisher=False), own.min(), own.max())
        rows.append([name, *(f"{one:.3f}" for one in figures)])
    return table(["estimator", "mean", "sd", "skewness", "kurtosis (normal: 3)", "min", "max"], rows)


def zero_signal_table(values: Mapping[str, np.ndarray], zero: np.ndarray) -> list[str]:
    if not zero.any():
        return ["None.", ""]
    rows = []
    for name, value in values.items():
        own, total = np.abs(value[zero]), np.abs(value).sum()
        rows.append([name, f"{own.mean():.3g}", f"{own.max():.3g}", f"{100 * own.sum() / total:.2f} %"])
    return table(["estimator", "mean of abs(A)", "largest", "share of the gradient weight"], rows)


def weights(value: np.ndarray, task: np.ndarray) -> dict[str, float]:
    """Mean |advantage| of a response per task. Under `seq-mean-token-mean` every response weighs the same, so that a
    task's gradient weight is this times its responses."""
    return {name: float(np.abs(value[task == name]).mean()) for name in sorted(set(task))}


def weight_table(values: Mapping[str, np.ndarray], task: np.ndarray, signal: np.ndarray) -> list[str]:
    """Weights over their mean of the tasks, and their spread, also without the groups that have no signal."""
    columns = {name: np.array(list(weights(value, task).values())) for name, value in values.items()}
    within = [list(weights(value[signal], task[signal]).values()) for value in values.values()]
    labels = sorted(set(task))
    rows = [[label, *(f"{own[at] / own.mean():.2f}" for own in columns.values())] for at, label in enumerate(labels)]
    for title, spread in (("largest / smallest", _ratio), ("coefficient of variation", stats.variation)):
        rows += [[f"**{title}**", *(f"{spread(own):.2f}" for own in columns.values())]]
        rows += [[f"{title}, groups with signal alone", *(f"{spread(own):.2f}" for own in within)]]
    return table(["task", *values], rows)


def _ratio(own: Sequence[float] | np.ndarray) -> float:
    return float(max(own) / min(own)) if min(own) > 0 else float("inf")


def spread_table(values: Mapping[str, np.ndarray], task: np.ndarray, signal: np.ndarray) -> list[str]:
    rows = []
    for label in sorted(set(task)):
        own = [value[(task == label) & signal] for value in values.values()]
        rows.append([label, *(f"{one.std():.3f}, {np.abs(one).max():.2f}" if len(one) else "–" for one in own)])
    return table(["task", *values], rows)


def agreement_table(
    values: Mapping[str, np.ndarray], task: np.ndarray, score: np.ndarray, signal: np.ndarray
) -> list[str]:
    """Over groups with signal: Pearson correlation with GRPO's advantages within a task, so that a task's scale does
    not count; responses pushed the other way; and those best (worst) in their group that are pushed down (up)."""
    if not signal.any():
        return ["None.", ""]
    by_group = score.reshape(-1, RESPONSES)
    best, worst = (
        (np.abs(by_group - end) <= 1e-6).reshape(-1) & signal
        for end in (by_group.max(1, keepdims=True), by_group.min(1, keepdims=True))
    )
    rows = []
    for name, value in values.items():
        by_task = {}
        for label in sorted(set(task[signal])):
            mine = (task == label) & signal
            by_task[label] = float(np.corrcoef(value[mine], values["GRPO"][mine])[0, 1])
        least = min(by_task, key=by_task.__getitem__)
        turned = (
            np.sign(value[signal]) * np.sign(values["GRPO"][signal]) < 0,
            value[best] < 0,
            value[worst] > 0,
        )
        figures = [f"{np.mean(list(by_task.values())):.3f}", f"{by_task[least]:.3f} ({least})"]
        rows.append([name, *figures, *(f"{100 * one.mean():.1f} %" for one in turned)])
    titles = ["estimator", "correlation, mean of the tasks", "least", "signs unlike GRPO's"]
    return table([*titles, "best of a group pushed down", "worst pushed up"], rows)


def direction_table(values: Mapping[str, np.ndarray], task: np.ndarray, right: np.ndarray) -> list[str]:
    """Cosine of the advantages with the verdict, the latter less its mean of the group: 1 if a response is pushed by
    how much more often than its group it is right, and by nothing else. NaN (–) where all groups are of one verdict."""
    by_group = right.astype(float).reshape(-1, RESPONSES)
    wanted = (by_group - by_group.mean(1, keepdims=True)).reshape(-1)
    labels = sorted(set(task))
    rows = []
    for name, value in values.items():
        own = [_cosine(value[task == label], wanted[task == label]) for label in labels]
        rows.append([name, *("–" if np.isnan(one) else f"{one:.2f}" for one in own), f"{_cosine(value, wanted):.3f}"])
    return table(["estimator", *labels, "all"], rows)


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    size = np.linalg.norm(one) * np.linalg.norm(other)
    return float(one @ other / size) if size > 0 else float("nan")
