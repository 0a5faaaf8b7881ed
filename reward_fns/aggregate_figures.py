"""One figure of a benchmark's table: means with standard errors and intervals, and how they print."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .aggregate_rows import Item

Z = 1.959964
"""Of the 95 % interval."""


@dataclass(frozen=True, slots=True)
class Figure:
    """One number of a benchmark's table."""

    benchmark: str
    name: str
    value: float
    """A share 0..1, or a count of hits where `unit` is "points"."""
    n: int
    """Questions (groups of rolls for the circular figure, parts for a mean of figures) behind it."""
    se: float | None = None
    """Standard error; None for a single question."""
    low: float = 0.0
    """95 % interval: Wilson's for shares of right answers, else normal within 0..1."""
    high: float = 1.0
    left_out: int = 0
    """Rows without a verdict (unverifiable, or the reward failed)."""
    is_primary: bool = False
    """The figure that papers quote."""
    unit: str = "share"
    note: str = ""


def mean_figure(benchmark: str, name: str, items: Sequence[Item]) -> Figure:
    """Mean over the items with a verdict."""
    values = [item.acc for item in items if item.acc is not None]
    left_out = len(items) - len(values)
    if not values:
        return Figure(benchmark, name, math.nan, 0, left_out=left_out, note="no row has a verdict")
    mean = math.fsum(values) / len(values)
    se = None
    if len(values) > 1:
        se = math.sqrt(math.fsum((value - mean) ** 2 for value in values) / (len(values) - 1) / len(values))
    low, high = wilson(mean, len(values)) if set(values) <= {0.0, 1.0} else normal_interval(mean, se)
    return Figure(benchmark, name, mean, len(values), se, low, high, left_out)


def wilson(share: float, n: int) -> tuple[float, float]:
    """Wilson's 95 % interval of a share of n."""
    centre = (share + Z**2 / (2 * n)) / (1 + Z**2 / n)
    half = Z / (1 + Z**2 / n) * math.sqrt(share * (1 - share) / n + Z**2 / (4 * n**2))
    return max(0.0, centre - half), min(1.0, centre + half)


def normal_interval(mean: float, se: float | None) -> tuple[float, float]:
    """The 95 % interval mean ± Z se within 0..1; all of it without a standard error."""
    return (0.0, 1.0) if se is None else (max(0.0, mean - Z * se), min(1.0, mean + Z * se))


def mean_of_figures(benchmark: str, name: str, parts: Sequence[Figure], note: str = "") -> Figure:
    """Unweighted mean of independent figures; those without a verdict do not count, and the note names them."""
    known, left_out = [part for part in parts if part.n], sum(part.left_out for part in parts)
    if empty := [part.name for part in parts if not part.n]:
        note = "; ".join(filter(None, [note, f"no verdict in {', '.join(empty)}"]))
    if not known:
        return Figure(benchmark, name, math.nan, 0, left_out=left_out, note=note)
    value = math.fsum(part.value for part in known) / len(known)
    errors = [part.se for part in known if part.se is not None]
    se = math.sqrt(math.fsum(error**2 for error in errors)) / len(known) if len(errors) == len(known) else None
    return Figure(benchmark, name, value, len(known), se, *normal_interval(value, se), left_out, note=note)


def table(figures: Sequence[Figure]) -> str:
    """Aligned plain text, shares in percent, primary figures marked with *."""
    lines = [f"{'benchmark':<28}{'figure':<36}{'value':>8}{'± SE':>7}{'95 % interval':>17}{'n':>7}{'left out':>10}"]
    for figure in figures:
        scale = 1 if figure.unit == "points" else 100
        value, low, high = (f"{scale * number:.1f}" for number in (figure.value, figure.low, figure.high))
        se = "-" if figure.se is None else f"{scale * figure.se:.1f}"
        name = ("* " if figure.is_primary else "  ") + figure.name
        line = f"{figure.benchmark:<28}{name:<36}{value:>8}{se:>7}{f'{low} to {high}':>17}{figure.n:>7}"
        lines.append(f"{line}{figure.left_out or '':>10}  {figure.note}".rstrip())
    return "\n".join(lines)
