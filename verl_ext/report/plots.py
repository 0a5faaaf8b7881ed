"""Charts as small inline SVG, coloured by the page's style sheet, so that light, dark and print all work.

Written out here, not drawn by matplotlib: a report of twelve tasks has a hundred charts, which take matplotlib ten
seconds of the machine that may still be training, and need its colours, fonts and sizes taken out again.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from markupsafe import Markup

from verl_ext.report.frame import LEFT, RIGHT, WIDE, WIDTH, Frame

MAX_POINTS = 240
"""Longer curves are drawn as means of as many equal pieces."""

Pair = tuple[np.ndarray, np.ndarray]
"""x (S,) and y (S,)"""


@dataclass(frozen=True)
class Line:
    """One curve of a chart and its entry in the legend."""

    label: str
    colour: str
    """name of a colour of page.css: ink, muted, c0 to c6"""
    points: Pair
    dashed: bool = False
    errors: np.ndarray | None = None
    """standard errors (S,): drawn as points with bars in place of a curve"""
    joined: bool = False
    """such points with a thin curve through them"""
    shift: float = 0.0
    """of such points in pixels, so that those of several runs do not cover each other"""


@dataclass(frozen=True)
class Band:
    """A shaded range of y that the curve should be in."""

    label: str
    low: float | np.ndarray
    high: float | np.ndarray
    strength: float = 0.2
    steps: np.ndarray | None = None
    """(S,) for bounds that move: low and high are (S,) too"""


CATEGORY_COLOURS = {
    "general_vqa": "c1",
    "math_vqa": "c2",
    "chart_vqa": "c3",
    "spatial_reasoning": "c4",
    "document": "c5",
    "grounding": "c6",
}


def colour_of(category: str | None) -> str:
    """The name of a category's colour in page.css."""
    return CATEGORY_COLOURS.get(category or "", "c0")


def curves(
    lines: Sequence[Line],
    *,
    label: str,
    bands: Sequence[Band] = (),
    top: float | None = None,
    percent: bool = False,
    faint: bool = True,
    width: int = WIDTH,
) -> Markup:
    """Moving means over steps, from 0 (or the lowest value below it) up to `top`.

    Without `top`: as high as the data and the nearer end of the bands ask.
    `faint` keeps the thin curve of every step behind the moving mean.
    """
    last = max((line.points[0].max() for line in lines if line.points[0].size), default=1.0)
    lowest = min((float(line.points[1].min()) for line in lines if line.points[1].size), default=0.0)
    frame = Frame(0, max(last, 1.0), min(lowest, 0.0), top or _top(lines, bands), width)
    marks = [_band(frame, band) for band in bands]
    for line in lines:
        marks += _errorbars(frame, line) if line.errors is not None else _curve(frame, line, faint)
    return frame.svg(marks, label=label, percent=percent)


def histogram(edges: np.ndarray, counts: np.ndarray, *, colour: str, label: str) -> Markup:
    """A density of advantages with N(0,1) over it."""
    density = counts / (counts.sum() * np.diff(edges))
    # A spike at 0 (groups without a signal) may be cut so that the rest stays readable.
    frame = Frame(-3.2, 3.2, 0, min(max(0.44, 1.08 * density.max()), 1.5))
    outline = frame.points(np.repeat(edges, 2), np.concatenate([[0.0], np.repeat(density, 2), [0.0]]))
    x = np.linspace(-3.2, 3.2, 65)
    normal = frame.points(x, np.exp(-(x**2) / 2) / math.sqrt(2 * math.pi))
    bars = f'<polygon class="fill" style="--k:var(--{colour})" opacity="0.45" points="{outline}"/>'
    return frame.svg([bars, f'<polyline class="thin" style="--k:var(--ink)" points="{normal}"/>'], label=label)


def quantiles(edges: np.ndarray, counts: np.ndarray, *, colour: str, label: str) -> Markup:
    """At every inner edge of the histogram: the quantile of N(0,1) with as much mass below it, against the edge."""
    below = np.cumsum(counts)[:-1] / counts.sum()
    inside = (below > 0) & (below < 1)
    normal = np.array([NormalDist().inv_cdf(float(share)) for share in below[inside]])
    frame = Frame(-3.2, 3.2, -3.2, 3.2)
    diagonal = f'<polyline class="thin" style="--k:var(--ink)" points="{frame.points(*[np.array([-3.2, 3.2])] * 2)}"/>'
    found = edges[1:-1][inside]
    dots = [_dot(x, y, 2.6) for x, y in zip(frame.x(normal), frame.y(found), strict=True)]
    curve = f'<polyline class="thin" points="{frame.points(normal, found)}"/>'
    return frame.svg([diagonal, f'<g style="--k:var(--{colour})">{curve}{"".join(dots)}</g>'], label=label)


def stack(steps: np.ndarray, layers: Sequence[tuple[str, np.ndarray]], *, label: str) -> Markup:
    """Layers (colour, values (S,)) piled up over steps, as bars."""
    heights = np.stack([thin(steps, values)[1] for _, values in layers])
    x = thin(steps, steps)[0]
    total = heights.sum(axis=0)
    # One slow step (a checkpoint, a first compilation) must not flatten all the others.
    top = 1.1 * min(total.max(), 4 * float(np.median(total))) or 1.0
    gap = float(np.diff(x).min()) if len(x) > 1 else 1.0
    frame = Frame(x[0] - gap / 2, x[-1] + gap / 2, 0, top, WIDE)
    tops = np.vstack([np.zeros_like(total), heights.cumsum(axis=0)])
    marks = []
    for (colour, _), low, high in zip(layers, tops, tops[1:], strict=False):
        starts, ends, ceilings, floors = frame.x(x - 0.42 * gap), frame.x(x + 0.42 * gap), frame.y(high), frame.y(low)
        bars = "".join(
            f"M{a:.1f} {c:.1f}H{b:.1f}V{d:.1f}H{a:.1f}z"
            for a, b, c, d in zip(starts, ends, ceilings, floors, strict=True)
            if d - c >= 0.05
        )
        marks.append(f'<path class="fill" style="--k:var(--{colour})" opacity="0.85" d="{bars}"/>')
    return frame.svg(marks, label=label)


def _band(frame: Frame, band: Band) -> str:
    style = f'class="fill" style="--k:var(--band)" opacity="{band.strength}"'
    if band.steps is None:
        high, low = float(frame.y(band.high)), float(frame.y(band.low))
        box = f'x="{LEFT}" y="{high:.1f}" width="{frame.width - LEFT - RIGHT}" height="{low - high:.1f}"'
        return f"<rect {style} {box}/>"
    x, low_S = thin(band.steps, np.asarray(band.low))
    _, high_S = thin(band.steps, np.asarray(band.high))
    outline = frame.points(np.concatenate([x, x[::-1]]), np.concatenate([high_S, low_S[::-1]]))
    return f'<polygon {style} points="{outline}"/>'


def _curve(frame: Frame, line: Line, faint: bool) -> list[str]:
    x, y = thin(*line.points)
    style = f'style="--k:var(--{line.colour})"'
    if len(x) == 1:
        return [f"<g {style}>{_dot(float(frame.x(x)[0]), float(frame.y(y)[0]), 3)}</g>"]
    kind = "line dashed" if line.dashed else "line"
    if len(x) < 8:
        return [f'<polyline class="{kind}" {style} points="{frame.points(x, y)}"/>']
    behind = [f'<polyline class="faint" {style} points="{frame.points(x, y)}"/>'] if faint else []
    return [*behind, f'<polyline class="{kind}" {style} points="{frame.points(x, moving_mean(y))}"/>']


def _errorbars(frame: Frame, line: Line) -> list[str]:
    across, y = frame.x(line.points[0]) + line.shift, line.points[1]
    bars = [
        f'<path class="thin" d="M{a:.1f} {b:.1f}V{c:.1f}"/>{_dot(a, d, 3.2)}'
        for a, b, c, d in zip(across, frame.y(y - line.errors), frame.y(y + line.errors), frame.y(y), strict=True)
    ]
    if line.joined and len(y) > 1:
        points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, frame.y(y), strict=True))
        bars.append(f'<polyline class="thin" points="{points}"/>')
    return [f'<g style="--k:var(--{line.colour})">{"".join(bars)}</g>']


def _dot(x: float, y: float, radius: float) -> str:
    return f'<circle class="fill" cx="{x:.1f}" cy="{y:.1f}" r="{radius}"/>'


def _top(lines: Sequence[Line], bands: Sequence[Band]) -> float:
    """High enough for the data, and for the bands as far as that leaves the data a good part of the height."""
    data = max((float(line.points[1].max()) for line in lines if line.points[1].size), default=0.0)
    lowest = min((float(np.min(band.low)) for band in bands), default=0.0)
    nearest = max((min(float(np.max(band.high)), 2.5 * max(data, lowest)) for band in bands), default=0.0)
    return 1.06 * max(data, nearest, 0.0) or 1.0


def moving_mean(values: np.ndarray) -> np.ndarray:
    """Centred mean over about an eighth of the curve (3 to 25 points), over what there is at its ends."""
    half = int(np.clip(len(values) // 16, 1, 12))
    total = np.concatenate([[0.0], np.cumsum(values)])
    at = np.arange(len(values))
    low, high = np.maximum(at - half, 0), np.minimum(at + half + 1, len(values))
    return (total[high] - total[low]) / (high - low)


def thin(x: np.ndarray, y: np.ndarray) -> Pair:
    """At most MAX_POINTS points, each the mean of a piece."""
    if len(x) <= MAX_POINTS:
        return x, y
    pieces = np.array_split(np.arange(len(x)), MAX_POINTS)
    return np.array([x[piece].mean() for piece in pieces]), np.array([y[piece].mean() for piece in pieces])
