"""Tables and figures from the stored runs: `python examples/evidence/tables.py` writes results/tables.md and *.png.

Accuracy: greedy answers on the validation rows, before (step 0) and after the last step. The interval of a difference
is that of the mean over seeds (t, 95 %) where there are three or more, else twice the paired standard error over rows.
"""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
import numpy as np
from scipy import stats

sys.path.insert(0, str(Path(__file__).parent))
from arms import ARMS, TITLES

RESULTS = Path(__file__).parent / "results"
LAST = 10
"""Steps at the end of a run over which training figures are averaged."""

Record = dict[str, Any]


def load() -> dict[str, list[Record]]:
    """Stored runs by arm, in the order of the arms, each by seed."""
    found = {}
    for arm in ARMS:
        paths = sorted(RESULTS.glob(f"{arm}-[0-9]*.json.gz"))
        records = [json.loads(gzip.decompress(path.read_bytes())) for path in paths]
        if records:
            found[arm] = sorted(records, key=lambda one: one["seed"])
    return found


def steps_of(record: Record) -> list[dict[str, Any]]:
    return [entry for entry in record["metrics"] if entry["step"] > 0]


def at_end(record: Record, select: Callable[[str], bool]) -> list[float]:
    """Mean over the last steps of every metric whose key is selected."""
    tail = steps_of(record)[-LAST:]
    keys = {key for entry in tail for key in entry if select(key)}
    return [float(np.mean([entry[key] for entry in tail if entry.get(key) is not None])) for key in sorted(keys)]


def metric(kind: str, name: str) -> Callable[[str], bool]:
    return lambda key: key.startswith(f"{kind}/") and key.split("/", 2)[2] == name


def interval(records: list[Record], of: Callable[[Record], dict[str, Any]]) -> str:
    """before -> after, and the difference with its 95 % interval, in points."""
    figures = [of(record) for record in records]
    before = 100 * np.mean([one["acc_before"] for one in figures])
    gains = [100 * (one["acc_after"] - one["acc_before"]) for one in figures]
    if len(gains) >= 3:
        half = stats.t.ppf(0.975, len(gains) - 1) * np.std(gains, ddof=1) / np.sqrt(len(gains))
    else:
        half = 200 * np.sqrt(np.mean([one["se_diff"] ** 2 for one in figures]) / len(figures))
    return f"{before:.1f} → {before + np.mean(gains):.1f} ({np.mean(gains):+.1f} ± {half:.1f})"


def accuracy_table(runs: dict[str, list[Record]]) -> list[str]:
    categories = list(next(iter(runs.values()))[0]["summary"]["categories"])
    lines = [f"| arm | seeds | overall | {' | '.join(categories)} |", "| --- " * (3 + len(categories)) + "|"]
    for arm, records in runs.items():
        cells = [TITLES[arm], str(len(records)), interval(records, lambda record: record["summary"]["overall"])]
        cells += [
            interval(records, lambda record, name=name: record["summary"]["categories"][name]) for name in categories
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return lines


def training_table(runs: dict[str, list[Record]]) -> list[str]:
    """What training looked like over its last steps."""
    titles = ("response length", "entropy inside the band", "gradient weight, largest task over smallest")
    titles += ("zero-signal groups", "share of |advantage| in zero-signal groups", "steps to GRPO's last accuracy")
    lines = [f"| arm | {' | '.join(titles)} |", "| --- " * (1 + len(titles)) + "|"]
    goal = {one["seed"]: smooth(accuracy(one))[-1] for one in runs.get("grpo", [])}
    for arm, records in runs.items():
        shares = [at_end(one, metric("task", "gradient_weight_share")) for one in records]
        cells = [
            mean(at_end(one, lambda key: key == "response_length/mean") for one in records),
            mean(at_end(one, metric("task", "entropy_in_band")) for one in records),
            f"{np.mean([max(share) / max(min(share), 1e-9) for share in shares]):.1f}",
            mean(at_end(one, metric("category", "zero_signal_groups")) for one in records),
            mean([zero_signal_weight(one) for one in records]),
            ", ".join(reached(one, goal[one["seed"]]) for one in records if one["seed"] in goal) or "–",
        ]
        lines.append(f"| {TITLES[arm]} | {' | '.join(cells)} |")
    return lines


def mean(values: Iterable[list[float]]) -> str:
    pooled = [value for some in values for value in some]
    return f"{np.mean(pooled):.2f}" if pooled else "–"


def zero_signal_weight(record: Record) -> list[float]:
    """Share of each category's sum of |advantage| that lies in groups of equal rewards, at the last steps."""
    return at_end(record, metric("category", "zero_signal_weight"))


def accuracy(record: Record) -> list[float]:
    """Mean over the categories of the training batch's accuracy, per step."""
    chosen = metric("category", "accuracy")
    return [float(np.mean([v for key, v in entry.items() if chosen(key)])) for entry in steps_of(record)]


def smooth(values: list[float]) -> np.ndarray:
    window = min(LAST, len(values))
    return np.convolve(values, np.ones(window) / window, mode="valid")


def reached(record: Record, goal: float) -> str:
    hits = np.flatnonzero(smooth(accuracy(record)) >= goal)
    return str(int(hits[0]) + LAST) if len(hits) else "never"


def figure(runs: dict[str, list[Record]], path: Path) -> None:
    """Training accuracy (mean of the categories, over 10 steps), entropy and response length of every arm."""
    figure, axes = plt.subplots(1, 3, figsize=(12, 3.6), constrained_layout=True)
    for arm, records in runs.items():
        curves = [smooth(accuracy(one)) for one in records]
        shortest = min(map(len, curves))
        stacked = np.array([curve[:shortest] for curve in curves])
        x = np.arange(shortest) + LAST
        (line,) = axes[0].plot(x, 100 * stacked.mean(0), label=f"{TITLES[arm]} ({len(records)})")
        if len(stacked) > 1:
            axes[0].fill_between(x, 100 * stacked.min(0), 100 * stacked.max(0), color=line.get_color(), alpha=0.15)
        for axis, key in ((axes[1], "actor/entropy"), (axes[2], "response_length/mean")):
            curves = [[entry.get(key, np.nan) for entry in steps_of(one)] for one in records]
            shortest = min(map(len, curves))
            axis.plot(np.arange(1, shortest + 1), np.mean([curve[:shortest] for curve in curves], 0))
    for axis, title in zip(axes, ("training accuracy, %", "entropy, nats", "response length, tokens"), strict=True):
        axis.set(title=title, xlabel="step")
        axis.grid(alpha=0.3)
    axes[0].legend(fontsize=7, title="arm (seeds)", title_fontsize=7)
    figure.savefig(path, dpi=130)
    plt.close(figure)


def sources(runs: dict[str, list[Record]]) -> list[str]:
    lines = ["| run | commit | steps | minutes |", "| --- | --- | --- | --- |"]
    for arm, records in runs.items():
        for one in records:
            dirty = f" + {len(one['changed_files'])} changed files" if one["changed_files"] else ""
            lines.append(
                f"| {arm}-{one['seed']} | {one['commit'][:10]}{dirty} | {one['steps']} | {one['seconds'] / 60:.0f} |"
            )
    return lines


def main() -> None:
    runs = load()
    if not runs:
        sys.exit(f"no stored runs in {RESULTS}; make some: python examples/evidence/grid.py")
    figure(runs, RESULTS / "training.png")
    text = ["# Results", "", __doc__.split("\n\n")[1].replace("\n", " ").strip(), ""]
    text += [
        "## Accuracy, %",
        "",
        *accuracy_table(runs),
        "",
        f"## Training, last {LAST} steps",
        "",
        *training_table(runs),
    ]
    text += [
        "",
        "![Training accuracy, entropy and length of every arm](training.png)",
        "",
        "## Runs",
        "",
        *sources(runs),
    ]
    (RESULTS / "tables.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
