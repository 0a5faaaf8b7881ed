"""Do two runs differ? Their accuracy on the same validation rows, row by row, against a baseline.

Says whether these two models differ on these rows. Whether their settings do takes several seeds of each.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from verl_ext import summary
from verl_ext.report.page import SURE
from verl_ext.report.run import Run

Z = NormalDist().inv_cdf(0.975)
"""of a 95 % interval"""
MATCHED = 2.0
"""rows that the interval adds: half a row better, half a row worse, one equal"""


@dataclass(frozen=True)
class Difference:
    """Accuracy of a run less that of the baseline, over the rows that both have."""

    n: int
    mean: float
    low: float
    high: float
    """95 % interval of the mean"""
    better: int
    worse: int
    """rows with a higher and with a lower accuracy than in the baseline"""
    p: float
    """two-sided, of as uneven a split of better and worse: McNemar's exact test where answers are right or wrong"""

    @property
    def verdict(self) -> str:
        """up, down or same, as the page colours it."""
        beyond = abs(self.mean) * Z > SURE * (self.high - self.low) / 2
        return "same" if not beyond else "up" if self.mean > 0 else "down"


@dataclass(frozen=True)
class Paired:
    """A run against the baseline."""

    run: Run
    steps: tuple[int, int] | None
    """of the baseline and of the run; None where nothing can be paired"""
    cells: Mapping[tuple[str, str], Difference]
    """by kind ("all", "category", "task") and name"""
    notes: Sequence[str]
    """what was left out, or why there is no pair"""


def pair(baseline: Run, run: Run) -> Paired:
    """Pair the newest validations of the same step, else the last of each."""
    if not baseline.validations or not run.validations:
        return Paired(run, None, {}, ["no rows of validation"])
    first, second = _validations(baseline, run)
    shared = [row for row in first.rows if row in second.rows]
    steps = (first.step, second.step)
    if not shared:
        return Paired(run, None, {}, ["no row in common"])
    if other := _other_gold(baseline, run, steps, shared):
        some = f"{other[0]} and {len(other) - 1:,} more" if other[1:] else other[0]
        return Paired(
            run, None, {}, [f"other gold answers under the same names ({some}): not the same validation data"]
        )
    notes = []
    for who, own in ((baseline.label, first), (run.label, second)):
        if left := len(own.rows) - len(shared):
            notes.append(f"{left:,} rows of {who} have no partner and are left out")
    return Paired(run, steps, _cells(first, second, shared), notes)


def difference(before: Sequence[float], after: Sequence[float]) -> Difference:
    """Of accuracies (n,) of the same rows in the same order.

    The interval is Wald's with half a count added to each of the four cells of the paired table (Agresti and Min 2005),
    here for accuracies between 0 and 1: it has a width even where all rows agree, and holds its level for few rows.
    """
    change = np.asarray(after, dtype=float) - np.asarray(before, dtype=float)
    n, better, worse = change.size, int((change > 0).sum()), int((change < 0).sum())
    centre = float(change.sum()) / (n + MATCHED)
    variance = (float((change**2).sum()) + MATCHED / 2) / (n + MATCHED) - centre**2
    reach = Z * math.sqrt(variance / (n + MATCHED))
    low, high = max(-1.0, centre - reach), min(1.0, centre + reach)
    return Difference(n, float(change.mean()), low, high, better, worse, _sign_test(better, worse))


def _sign_test(better: int, worse: int) -> float:
    from scipy.special import bdtr

    return min(1.0, 2 * float(bdtr(min(better, worse), better + worse, 0.5)))


def _validations(baseline: Run, run: Run) -> tuple[summary.Validation, summary.Validation]:
    own, other = ({v.step: v for v in each.validations} for each in (baseline, run))
    # Before training two runs of one model are the same: that step is only for runs that have no other.
    common = [step for step in own if step in other and step > 0]
    if common:
        return own[max(common)], other[max(common)]
    return own[max(own)], other[max(other)]


def _other_gold(baseline: Run, run: Run, steps: tuple[int, int], shared: Sequence[str]) -> list[str]:
    """Rows of one name that ask something else in the two runs."""
    ours, theirs = (_golds(each, step) for each, step in zip((baseline, run), steps, strict=True))
    return [row for row in shared if ours.get(row) != theirs.get(row)]


def _golds(run: Run, step: int) -> dict[str, str]:
    records = summary.read_jsonl(run.path / "validation" / f"{step}.jsonl")
    return {str(record.get("row")): str(record.get("gts")) for _, record in records if record is not None}


def _cells(
    first: summary.Validation, second: summary.Validation, shared: Sequence[str]
) -> dict[tuple[str, str], Difference]:
    """Tasks and categories as the baseline names them."""
    groups: dict[tuple[str, str], list[str]] = {}
    for row in shared:
        own = first.rows[row]
        for key in (("all", "all"), ("category", own.category), ("task", own.task)):
            groups.setdefault(key, []).append(row)
    return {
        key: difference([first.rows[row].acc for row in rows], [second.rows[row].acc for row in rows])
        for key, rows in groups.items()
    }
