"""What the benchmarks share: spreads, ratios of paired repeats, growth with size, and the figures for the report."""

from __future__ import annotations

import json
import math
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any


def spread(values: Sequence[float], digits: int = 2, sign: str = "") -> str:
    """Median (least to largest)."""
    shown = [f"{value:{sign}.{digits}f}" for value in (statistics.median(values), min(values), max(values))]
    return f"{shown[0]} ({shown[1]} to {shown[2]})"


def ratios(ours: Sequence[float], theirs: Sequence[float]) -> list[float]:
    """Of repeats that ran side by side, so that a slow moment of the machine counts on both sides."""
    return [one / other for one, other in zip(ours, theirs, strict=True)]


def exponent(sizes: Sequence[float], seconds: Sequence[float]) -> float:
    """Growth: the slope of log(seconds) over log(size), by least squares; ValueError for fewer than two sizes."""
    if len(set(sizes)) < 2:
        raise ValueError(f"growth needs two sizes or more, not {list(sizes)}")
    slope, _ = statistics.linear_regression([math.log(size) for size in sizes], [math.log(one) for one in seconds])
    return slope


def save(path: Path | None, **figures: Mapping[str, Any]) -> None:
    """`ratios`: {label: values of the repeats}; `growth`: {label: {sizes, seconds}}; what all.py draws."""
    if path is not None:
        path.write_text(json.dumps(figures) + "\n")
