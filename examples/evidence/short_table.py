"""The table of README.md and docs/evidence.md, with what it says in words."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from arms import BASELINE, TITLES
from cells import SEEDS, difference, points, table
from records import Record, Runs, accuracies, against, pairs_of, unlike

BESIDES = (
    ("g2rpo_length", "g2rpo"),
    ("g2rpo_entropy", "g2rpo"),
    ("g2rpo_both_spared", "g2rpo"),
    ("g2rpo_both_spared", "g2rpo_both"),
)
"""Arms and what they add a setting to."""


def short_table(runs: Runs, arms: Collection[str]) -> list[str]:
    """What README.md and docs/evidence.md show."""
    shown = {arm: own for arm, own in runs.items() if arm in arms}
    rows = []
    for arm, own in shown.items():
        before, after = (100 * np.mean([list(accuracies(one)[at].values()) for one in own]) for at in (0, 1))
        pairs = [] if arm == BASELINE else against(runs, arm, BASELINE)
        over = f"{len(pairs)} seeds" if len(pairs) >= SEEDS else "rows" if pairs else "–"
        row = [TITLES[arm], str(len(own)), f"{before:.1f} → {after:.1f}", str(len(pairs) or "–"), points(pairs), over]
        rows.append(row)
    titles = ["arm", "runs", "accuracy, %", "pairs with GRPO", "against GRPO, points", "± over"]
    return [*table(titles, rows), *said(shown), "", *footnote(shown)]


def said(runs: Runs) -> list[str]:
    """How many runs there are, what single seeds gave, and which differences are beyond their interval."""
    seeds = sorted({one["seed"] for own in runs.values() for one in own})
    lines = [f"{sum(map(len, runs.values()))} runs are in the table, of the seeds {listed(seeds)}."]
    for arm in ("g2rpo", "g2rpo_published"):
        own = [
            f"{points_of(pair):+.1f} (seed {pair[0]['seed']})"
            for pair in (pairs_of(runs, arm, BASELINE) if arm in runs else [])
        ]
        if own:
            lines.append(f"{TITLES[arm]} against GRPO: {listed(own)}.")
    for arm, base in BESIDES:
        if arm in runs and (pairs := against(runs, arm, base)):
            over = f"over {len(pairs)} seeds" if len(pairs) >= SEEDS else "over rows"
            lines.append(f"{TITLES[arm]} against {TITLES[base]}: {points(pairs)} ({over}, pairs: {len(pairs)}).")
    found = {arm: against(runs, arm, BASELINE) for arm in runs if arm != BASELINE}
    apart = {TITLES[arm]: difference(pairs) for arm, pairs in found.items() if pairs}
    better = [title for title, (mean, half) in apart.items() if mean > half]
    worse = [title for title, (mean, half) in apart.items() if mean < -half]
    lines.append(f"Better than GRPO beyond the interval: {listed(better)}; worse: {listed(worse)}.")
    return lines


def points_of(pair: tuple[Record, Record]) -> float:
    base, own = (accuracies(one)[1] for one in pair)
    return 100 * difference([(base, own)])[0]


def listed(values: Sequence[Any]) -> str:
    return ", ".join(map(str, values)) or "none"


def footnote(runs: Runs) -> list[str]:
    """A warning of pairs whose configurations differ in more than their arms."""
    found = []
    for arm in (one for one in runs if one != BASELINE):
        for base, own in pairs_of(runs, arm, BASELINE):
            if keys := unlike(base, own):
                more = f" and {len(keys) - 5} more" if len(keys) > 5 else ""
                found.append(f"{arm}-{own['seed']} ({listed([f'`{key}`' for key in keys[:5]])}{more})")
    return [f"**Configured unlike the GRPO run that they are paired with:** {listed(found)}.", ""] if found else []
