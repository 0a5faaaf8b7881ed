"""One chart with what the page writes around it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from markupsafe import Markup

from verl_ext.report import plots
from verl_ext.report.frame import WIDTH
from verl_ext.report.plots import Band, Line


@dataclass(frozen=True)
class Key:
    """One entry of a chart's legend."""

    label: str
    colour: str
    shape: str
    """line, dashed, dot, area or faint (area)"""


@dataclass(frozen=True)
class Panel:
    """One chart."""

    name: str
    """of the chart among all of the page, as in "task/arithmetic: entropy" """
    title: str
    unit: str
    svg: Markup
    keys: list[Key]
    note: str = ""


def curve_panel(
    title: str,
    unit: str,
    name: str,
    lines: Sequence[Line],
    *,
    bands: Sequence[Band] = (),
    note: str = "",
    percent: bool = False,
    top: float | None = None,
    faint: bool = True,
    width: int = WIDTH,
) -> Panel | None:
    """A panel of the lines that have points. `faint` keeps the thin curve of every step behind the moving mean."""
    lines = [line for line in lines if line.points[0].size]
    if not lines:
        return None
    keys = [Key(line.label, line.colour, _shape(line)) for line in lines]
    keys += [Key(band.label, "band", "area" if band.strength > 0.1 else "faint") for band in bands if band.label]
    svg = plots.curves(lines, label=name, bands=bands, top=top, percent=percent, faint=faint, width=width)
    return Panel(name, title, unit, svg, keys, note)


def _shape(line: Line) -> str:
    return "dot" if line.errors is not None else "dashed" if line.dashed else "line"
