"""Quantile plots: every estimator a panel, every task a line, N(0, 1) the diagonal."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

COLUMNS, LIMIT = 4, 4.0
Drawn = Mapping[str, tuple[Mapping[str, np.ndarray], np.ndarray, np.ndarray]]


def figure(drawn: Drawn, path: Path) -> None:
    """`drawn`: origin of the rewards -> (advantages (N,) by estimator, task (N,), rows that are shown (N,))."""
    rows = [-(-len(values) // COLUMNS) for values, _, _ in drawn.values()]
    whole = plt.figure(figsize=(3 * COLUMNS, 2.8 * sum(rows) + 0.7 * len(rows)), constrained_layout=True)
    parts = np.atleast_1d(whole.subfigures(len(rows), 1, height_ratios=rows))
    for part, height, (title, (values, task, shown)) in zip(parts, rows, drawn.items(), strict=True):
        part.suptitle(title)
        axes = part.subplots(height, COLUMNS, sharex=True, sharey=True).ravel()
        for axis, (name, value) in zip(axes, values.items(), strict=False):
            _panel(axis, name, value[shown], task[shown])
        for axis in axes[len(values) :]:
            axis.axis("off")
        handles, labels = axes[0].get_legend_handles_labels()
        spare = axes[-1] if len(values) < len(axes) else axes[0]
        spare.legend(handles, labels, fontsize=7, loc="center" if len(values) < len(axes) else "upper left")
    whole.savefig(path, dpi=110, metadata={"Software": None})
    plt.close(whole)


def _panel(axis: plt.Axes, name: str, value: np.ndarray, task: np.ndarray) -> None:
    axis.plot([-LIMIT, LIMIT], [-LIMIT, LIMIT], color="0.6", linewidth=0.8)
    for label in sorted(set(task)):
        own = np.sort(value[task == label])
        axis.plot(stats.norm.ppf((np.arange(len(own)) + 0.5) / len(own)), own, linewidth=1.2, label=label)
    axis.set(title=name, xlim=(-LIMIT, LIMIT), ylim=(-LIMIT, LIMIT), xlabel="N(0, 1)", ylabel="advantage")
    axis.label_outer()
    axis.grid(alpha=0.3)
