"""The page of several runs (templates/compare.html): curves over each other, validation, settings, time."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from verl_ext.report import plots
from verl_ext.report.load import load_all
from verl_ext.report.page import Page, about, template, write_page
from verl_ext.report.paired import Difference, Paired, pair
from verl_ext.report.panel import Panel, curve_panel
from verl_ext.report.phases import THROUGHPUT, throughput, timing_rows
from verl_ext.report.plots import Line
from verl_ext.report.run import Run
from verl_ext.report.settings import differences
from verl_ext.summary import Stats

DEFAULT_OUT = Path("compare.html")
COLOURS = ("c1", "c2", "c3", "c4", "c5", "c6", "c0")
"""of the runs, in their order; further ones are dashed"""
MARK_SHIFT = 4.0
"""pixels between the points of two runs at the same step"""
LABELLED = (
    ("reward", "Reward", "mean", False),
    ("response_length/mean", "Response length", "mean, tokens", False),
    ("entropy", "Entropy", "nats per token", False),
    ("zero_signal_groups", "Groups without signal", "share", True),
    ("token_share", "Share of the tokens", "", True),
    ("gradient_weight_share", "Share of the gradient weight", "", True),
    ("advantage/std", "Spread of the advantages", "sd", False),
)
"""metric of a task or category, title, unit, whether it is a share"""
WHOLE = (
    ("critic/rewards/mean", "Reward", "mean"),
    ("response_length/mean", "Response length", "mean, tokens"),
    ("actor/entropy", "Entropy", "nats, averaged as the loss is"),
    ("actor/grad_norm", "Gradient norm", "before clipping"),
    (THROUGHPUT, "Throughput", "tokens per second and GPU"),
    ("timing_s/step", "Time per step", "seconds"),
)
"""verl's metrics of the whole batch"""


def write_comparison(paths: Sequence[Path], out: Path = DEFAULT_OUT) -> tuple[Path, list[str]]:
    """Write the page of several runs; returns it and what it says is missing. ValueError names a RUN that is none."""
    page = render(load_all(paths))
    write_page(page.html, out)
    return out, page.notices


def render(runs: Sequence[Run]) -> Page:
    """The page of runs whose labels differ."""
    batch = list(_batch_panels(runs))
    sections = _sections(runs)
    rows = _accuracy_rows(runs)
    against = [pair(runs[0], run) for run in runs[1:]]
    compared = _difference_rows(rows, against)
    html = template("compare.html").render(
        runs=[{"run": run, "about": about(run), **_look(index)} for index, run in enumerate(runs)],
        rows=rows,
        against=against,
        compared=compared,
        reach=_reach(compared),
        ends=[run.ends() for run in runs],
        batch=batch,
        sections=sections,
        differences=differences(runs),
        times=_times(runs),
        throughput=[throughput(run) for run in runs],
    )
    drawn = [panel for section in sections for part in section["parts"] for panel in part["panels"]]
    return Page(html, [*batch, *drawn], [f"{run.label}: {notice}" for run in runs for notice in run.notices])


def _look(index: int) -> dict[str, Any]:
    return {"colour": COLOURS[index % len(COLOURS)], "dashed": index >= len(COLOURS)}


def _names(runs: Sequence[Run], kind: str) -> list[str]:
    """The names of all runs, each once, in the order of the first run that has them."""
    return list(dict.fromkeys(name for run in runs for name in run.names(kind)))


def _batch_panels(runs: Sequence[Run]) -> Iterator[Panel]:
    """The whole batch, one curve a run."""
    lines = _marks(runs, "", "", joined=True)
    validation = curve_panel("Accuracy on validation", "± SE", "accuracy on validation", lines, percent=True, top=1.0)
    drawn = [_overlay(runs, key, title, unit, name=title) for key, title, unit in WHOLE]
    yield from (panel for panel in [validation, *drawn] if panel)


def _labelled_panels(runs: Sequence[Run], kind: str, name: str) -> Iterator[Panel]:
    """One task or category, one curve a run."""
    at = f"{kind}/{name}"
    lines = [*_lines(runs, f"{at}/accuracy"), *_marks(runs, kind, name)]
    if any(line.points[0].size for line in lines[: len(runs)]):
        accuracy = curve_panel(
            "Accuracy", "training; dots: validation", f"{at}: accuracy", lines, percent=True, top=1.0, faint=False
        )
        yield from [accuracy] if accuracy else []
    for metric, title, unit, percent in LABELLED:
        panel = _overlay(runs, f"{at}/{metric}", title, unit, name=f"{at}: {title}", percent=percent)
        yield from [panel] if panel else []


def _overlay(runs: Sequence[Run], key: str, title: str, unit: str, *, name: str, percent: bool = False) -> Panel | None:
    return curve_panel(title, unit, name, _lines(runs, key), percent=percent, faint=False)


def _marks(runs: Sequence[Run], kind: str, name: str, *, joined: bool = False) -> list[Line]:
    """Accuracy on validation, as points with their errors."""
    found = []
    for index, run in enumerate(runs):
        steps, means, errors = run.accuracy(kind, name)
        shift = MARK_SHIFT * (index - (len(runs) - 1) / 2)
        colour = _look(index)["colour"]
        found.append(Line(run.label, colour, (steps, means), errors=errors, joined=joined, shift=shift))
    return found


def _lines(runs: Sequence[Run], key: str) -> list[Line]:
    return [Line(run.label, points=run.series(key), **_look(index)) for index, run in enumerate(runs)]


def _sections(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Per category its own charts and those of its tasks; what has none is left out."""
    category_of = {task: category for run in runs for task, category in run.category_of().items()}
    tasks = _names(runs, "task")
    found = []
    categories = [*_names(runs, "category"), *dict.fromkeys(category_of.get(task) for task in tasks)]
    for category in tqdm(list(dict.fromkeys(categories)), desc="charts", disable=None, delay=1.0, leave=False):
        own = [("category", category)] if category else []
        own += [("task", task) for task in tasks if category_of.get(task) == category]
        parts = [
            {"kind": kind, "name": name, "panels": panels}
            for kind, name in own
            if (panels := list(_labelled_panels(runs, kind, name)))
        ]
        if parts:
            colour = plots.colour_of(category)
            found.append({"category": category or "category not known yet", "colour": colour, "parts": parts})
    return found


def _accuracy_rows(runs: Sequence[Run]) -> list[dict[str, Any]]:
    """Rows of the table of validation: all, then each category followed by its tasks."""
    if not any(run.summary for run in runs):
        return []

    def cells(block: str, name: str) -> list[Stats | None]:
        return [(run.summary or {}).get(block, {}).get(name) for run in runs]

    category_of = {task: category for run in runs for task, category in run.category_of().items()}
    rows: list[dict[str, Any]] = [
        {"name": "all", "kind": "all", "colour": None, "cells": [(run.summary or {}).get("overall") for run in runs]}
    ]
    tasks = _names(runs, "task")
    for category in [*_names(runs, "category"), None]:
        look = plots.colour_of(category)
        if category:
            rows.append({"name": category, "kind": "category", "colour": look, "cells": cells("categories", category)})
        mine = [task for task in tasks if category_of.get(task) == category]
        rows += [{"name": task, "kind": "task", "colour": look, "cells": cells("tasks", task)} for task in mine]
    for row in rows:
        row["n"] = " / ".join(dict.fromkeys(f"{cell['n']:,}" for cell in row["cells"] if cell and cell["n"]))
    return [row for row in rows if any(row["cells"])]


def _difference_rows(rows: Sequence[Mapping[str, Any]], against: Sequence[Paired]) -> list[dict[str, Any]]:
    """The same rows with what each run differs by from the first: a Difference, or None without a pair."""
    found = []
    for row in rows:
        cells: list[Difference | None] = [each.cells.get((row["kind"], row["name"])) for each in against]
        if any(cells):
            found.append({**row, "cells": cells})
    return found


def _reach(rows: Sequence[Mapping[str, Any]]) -> int:
    """Points at the ends of the axis that holds all intervals."""
    furthest = max(
        (abs(end) for row in rows for cell in row["cells"] if cell for end in (cell.low, cell.high)), default=1
    )
    return next(points for points in (5, 10, 15, 20, 30, 50, 100) if points >= 100 * furthest)


def _times(runs: Sequence[Run]) -> list[Mapping[str, Any]]:
    """Rows of the table of times: per phase the Phase of each run, or None."""
    phases = [{phase.label: phase for phase in timing_rows(run)} for run in runs]
    # A phase that only a later run has stands before the sums all the same.
    sums = ("other", "step", "validation", "all")
    found = list(dict.fromkeys(label for own in phases for label in own))
    order = [label for label in found if label not in sums] + [label for label in sums if label in found]
    return [{"label": label, "cells": [own.get(label) for own in phases]} for label in order]
