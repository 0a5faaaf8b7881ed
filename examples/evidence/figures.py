"""Curves of the stored runs: mean of an arm's seeds, the seeds' range shaded."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
from arms import MAIN, TITLES
from records import WINDOW, Runs, band_of, learning, series, token_entropy
from stress_reward import ENTROPY_TASK


def training(runs: Runs, path: Path) -> None:
    """Accuracy of the training rollouts, entropy and response length of the main arms, or of all if none is stored."""
    shown = {arm: own for arm, own in runs.items() if arm in MAIN} or runs
    figure, axes = plt.subplots(1, 3, figsize=(12, 4.4), constrained_layout=True)
    for arm, records in shown.items():
        label = f"{TITLES[arm]} ({len(records)})"
        _curve(axes[0], [100 * learning(one) for one in records], label, first=WINDOW)
        _curve(axes[1], [token_entropy(one) for one in records], label)
        _curve(axes[2], [series(one, "response_length/mean") for one in records], label)
    titles = (
        f"accuracy of rollouts, % ({WINDOW} steps)",
        "entropy, nats",
        "response length, tokens",
    )
    for axis, title in zip(axes, titles, strict=True):
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
    lines, labels = axes[0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=3, fontsize=8, title="arm (seeds)", title_fontsize=8)
    _save(figure, path)


def band(runs: Runs, path: Path) -> bool:
    """Entropy of the task that is driven out of its band (shaded), left where it collapses, right where it explodes."""
    kinds = {kind: {arm: own for arm, own in runs.items() if kind in arm} for kind in ("collapse", "explode")}
    if not any(kinds.values()):
        return False
    figure, axes = plt.subplots(1, 2, figsize=(9, 3.4), constrained_layout=True)
    for axis, (kind, shown) in zip(axes, kinds.items(), strict=True):
        for arm, records in shown.items():
            curves = [series(one, f"task/{ENTROPY_TASK}/entropy") for one in records]
            _curve(axis, curves, f"{TITLES[arm]} ({len(records)})", style="-" if arm.endswith("_band") else "--")
        axis.axhspan(*band_of(ENTROPY_TASK), color="0.9", zorder=0)
        axis.set(title=f"{ENTROPY_TASK}: {kind}", xlabel="step", ylabel="entropy, nats")
        axis.grid(alpha=0.3)
        if shown:
            axis.legend(fontsize=7)
    _save(figure, path)
    return True


def _curve(axis: plt.Axes, curves: Sequence[Sequence[float]], label: str, first: int = 1, style: str = "-") -> None:
    """A step in which the task was not in the batch leaves a gap, which the line bridges."""
    shortest = min(map(len, curves))
    stacked = np.array([curve[:shortest] for curve in curves])
    known = np.isfinite(stacked).any(0)
    x = (np.arange(shortest) + first)[known]
    (line,) = axis.plot(x, np.nanmean(stacked[:, known], 0), style, linewidth=1.2, label=label)
    if len(stacked) > 1:
        least, most = np.nanmin(stacked[:, known], 0), np.nanmax(stacked[:, known], 0)
        axis.fill_between(x, least, most, color=line.get_color(), alpha=0.15)


def _save(figure: plt.Figure, path: Path) -> None:
    figure.savefig(path, dpi=130, metadata={"Software": None})
    plt.close(figure)
