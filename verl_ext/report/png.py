"""Every chart of a page as a PNG: the few SVG elements that frame.py and plots.py write, drawn by matplotlib."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.patches import Circle, Patch, PathPatch, Polygon, Rectangle
from matplotlib.path import Path as Outline
from tqdm import tqdm

from verl_ext.report.frame import LEFT
from verl_ext.report.page import TEMPLATES
from verl_ext.report.panel import Key, Panel

HEAD, FOOT, GAP, ROW = 26, 16, 8, 10
"""points above (without the legend) and below a chart, between its parts, and of a row of the legend"""
DPI = 216
"""One unit of the SVG is a point, of 1/72 inch."""
WIDTHS = {"grid": 1.0, "axis": 0.8, "line": 2.0, "thin": 1.3, "faint": 0.8}
"""as page.css has them"""
COLOURS = {"grid": "grid", "axis": "muted"}
"""of classes that name one; other marks inherit theirs"""
FAINT = 0.4


def write(panels: Iterable[Panel], folder: Path) -> int:
    """Write FOLDER/<name of the chart>.png of all panels; returns their number."""
    folder.mkdir(parents=True, exist_ok=True)
    colours = _colours()
    taken: set[str] = set()
    # Names of tasks may hold "$", which is no formula here.
    with matplotlib.rc_context({"text.parse_math": False, "font.family": "sans-serif"}):
        for panel in tqdm(list(panels), desc="pictures", disable=None, delay=1.0, leave=False):
            _draw(panel, colours).savefig(folder / f"{_file_name(panel.name, taken)}.png", dpi=DPI)
    return len(taken)


def _file_name(name: str, taken: set[str]) -> str:
    """A name for any file system that no other chart has."""
    plain = re.sub(r"[^A-Za-z0-9_.]+", "-", name).strip("-.").lower()[:100] or "chart"
    found, number = plain, 1
    while found in taken:
        number += 1
        found = f"{plain}-{number}"
    taken.add(found)
    return found


def _colours() -> dict[str, str]:
    """The light colours of page.css: {name: #rgb}."""
    root = (TEMPLATES / "page.css").read_text(encoding="utf-8").partition("}")[0]
    return dict(re.findall(r"--(\w+): (#\w+);", root))


def _draw(panel: Panel, colours: Mapping[str, str]) -> Figure:
    # The label is the one part that holds text of the run, which XML may not be able to bear.
    svg = ElementTree.fromstring(re.sub(r' aria-label="[^"]*"', "", panel.svg))
    width, height = (float(each) for each in svg.attrib["viewBox"].split()[2:])
    # A comparison's chart of accuracy has a curve and dots of each run.
    keys = list({key.label: key for key in reversed(panel.keys)}.values())[::-1]
    columns = max(1, int((width - 2 * GAP) / (24 + 3.7 * max((len(key.label) for key in keys), default=1))))
    head = HEAD + ROW * -(-len(keys) // columns)
    figure = Figure(figsize=(width / 72, (height + head + FOOT) / 72), facecolor=colours["bg"])
    FigureCanvasAgg(figure)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, width), ylim=(height + FOOT, -head))
    axes.axis("off")
    _group(axes, svg, colours, colours["ink"])
    _around(axes, panel, colours)
    if keys:
        _legend(axes, keys, columns, colours)
    return figure


def _around(axes: Axes, panel: Panel, colours: Mapping[str, str]) -> None:
    """Name and unit above, the note below."""
    foot, head = axes.get_ylim()
    where = panel.name.rpartition(": ")[0]
    title = " · ".join(part for part in (where, panel.title) if part)
    axes.text(GAP, GAP + head, _safe(title), color=colours["ink"], size=9, weight="bold", va="top")
    axes.text(axes.get_xlim()[1] - GAP, GAP + head, panel.unit, color=colours["muted"], size=8, va="top", ha="right")
    axes.text(LEFT, foot - GAP, panel.note, color=colours["muted"], size=7.5, va="bottom")


def _legend(axes: Axes, keys: Sequence[Key], columns: int, colours: Mapping[str, str]) -> None:
    axes.legend(
        [_handle(key, colours[key.colour]) for key in keys],
        [_safe(key.label) for key in keys],
        loc="lower left", bbox_to_anchor=(LEFT / 4, -4), bbox_transform=axes.transData, ncols=columns,
        frameon=False, fontsize=7, labelcolor=colours["muted"], borderpad=0, borderaxespad=0, labelspacing=0.2,
        handlelength=1.2, handletextpad=0.4, columnspacing=1.0,
    )  # fmt: skip


def _handle(key: Key, colour: str) -> Line2D | Patch:
    if key.shape in ("area", "faint"):
        return Patch(color=colour, alpha=FAINT if key.shape == "area" else 0.18, linewidth=0)
    if key.shape == "dot":
        return Line2D([], [], color=colour, marker="o", markersize=4, linestyle="none")
    return Line2D([], [], color=colour, linewidth=2, linestyle="--" if key.shape == "dashed" else "-")


def _group(axes: Axes, group: ElementTree.Element, colours: Mapping[str, str], colour: str) -> None:
    for element in group:
        named = re.search(r"--k:var\(--(\w+)\)", element.get("style", ""))
        own = colours[named[1]] if named else colour
        if element.tag == "g":
            _group(axes, element, colours, own)
        elif element.tag == "text":
            at_axis = element.get("class") == "y"
            axes.text(
                float(element.get("x", 0)), float(element.get("y", 0)), element.text or "", color=colours["muted"],
                size=8, ha="right" if at_axis else "center", va="center" if at_axis else "baseline",
            )  # fmt: skip
        else:
            axes.add_artist(_mark(element, colours, own))


def _mark(element: ElementTree.Element, colours: Mapping[str, str], colour: str) -> Any:
    kind, *rest = element.get("class", "").split()
    if kind == "fill":
        shape = _shape(element)
        shape.set(facecolor=colour, linewidth=0, alpha=float(element.get("opacity", 1)))
        return shape
    style: dict[str, Any] = {"color": colours[COLOURS[kind]] if kind in COLOURS else colour, "linewidth": WIDTHS[kind]}
    style |= {"alpha": FAINT} if kind == "faint" else {}
    style |= {"linestyle": (0, (2.5, 1.5))} if "dashed" in rest else {}
    if element.tag == "polyline":
        return Line2D(*zip(*_points(element), strict=True), solid_joinstyle="round", **style)
    edge = style.pop("color")
    return PathPatch(_outline(element.get("d", "")), fill=False, edgecolor=edge, **style)


def _shape(element: ElementTree.Element) -> Patch:
    def number(name: str) -> float:
        return float(element.get(name, 0))

    if element.tag == "rect":
        return Rectangle((number("x"), number("y")), number("width"), number("height"))
    if element.tag == "circle":
        return Circle((number("cx"), number("cy")), number("r"))
    if element.tag == "polygon":
        return Polygon(_points(element))
    return PathPatch(_outline(element.get("d", "")))


def _points(element: ElementTree.Element) -> Sequence[tuple[float, float]]:
    return [(float(x), float(y)) for x, y in (pair.split(",") for pair in element.get("points", "").split())]


def _outline(d: str) -> Outline:
    """A path of M, H, V, v and z, which is all that frame.py and plots.py write."""
    x = y = 0.0
    points, codes = [], []
    for command, numbers in re.findall(r"([MHVvz])([^MHVvz]*)", d):
        values = [float(each) for each in numbers.split()]
        if command == "M":
            x, y = values
        elif command == "H":
            x = values[0]
        elif command != "z":
            y = values[0] + (y if command == "v" else 0)
        points.append((x, y))
        codes.append({"M": Outline.MOVETO, "z": Outline.CLOSEPOLY}.get(command, Outline.LINETO))
    return Outline(points, codes)


def _safe(text: str) -> str:
    """Without what no font can draw: lone surrogates and control characters."""
    return re.sub(r"[\x00-\x1f\x7f]", "?", text.encode("utf-8", errors="replace").decode("utf-8"))
