"""Figures with their uncertainty, and tables of them in Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from scipy import stats

SEEDS = 3
"""From so many runs on, an interval is that of their mean."""


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    return [f"| {' | '.join(line)} |" for line in (titles, ["---"] * len(titles), *rows)] + [""]


def fill(page: str, lines: Sequence[str]) -> str:
    """The page with these lines between its two marks; ValueError if it has not both."""
    before, mark, rest = page.partition("<!-- training -->\n")
    _, end, after = rest.partition("<!-- /training -->")
    if not (mark and end):
        raise ValueError("the page lacks <!-- training --> or <!-- /training -->")
    return "".join([before, mark, "\n", *(f"{line}\n" for line in lines), end, after])


def cell(values: Sequence[float], digits: int = 2) -> str:
    """Mean ± standard deviation of those that are numbers."""
    known = [value for value in values if np.isfinite(value)]
    if not known:
        return "–"
    spread = f" ± {np.std(known, ddof=1):.{digits}f}" if len(known) > 1 else ""
    return f"{np.mean(known):.{digits}f}{spread}"


def difference(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> tuple[float, float]:
    """Mean of after - before and half its 95 % interval; a pair (rows before, rows after) per seed, rows by name.

    From SEEDS seeds on: t over the seeds' means, so that it holds what training does by chance. With fewer: twice the
    standard error over rows of the mean over seeds, so that it holds only which rows were asked.
    """
    names = sorted(set.intersection(*(set(part) for pair in pairs for part in pair)))
    by_seed = np.array([[after[name] - before[name] for name in names] for before, after in pairs])
    if len(pairs) >= SEEDS:
        own = by_seed.mean(1)
        half = stats.t.ppf(0.975, len(own) - 1) * own.std(ddof=1) / np.sqrt(len(own))
    else:
        rows = by_seed.mean(0)
        half = 2 * rows.std(ddof=1) / np.sqrt(len(rows)) if len(rows) > 1 else float("nan")
    return float(by_seed.mean()), float(half)


def points(pairs: Sequence[tuple[Mapping[str, float], Mapping[str, float]]]) -> str:
    """`difference` in points."""
    if not pairs:
        return "–"
    mean, half = difference(pairs)
    return f"{100 * mean:+.1f} ± {100 * half:.1f}"
