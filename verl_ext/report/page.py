"""The page: gathers charts, figures and examples of one run and renders templates/page.html."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template
from tqdm import tqdm

from reward_fns.settings import CATEGORIES
from verl_ext.report import examples, panels, pictures, plots, settings
from verl_ext.report.load import load
from verl_ext.report.panel import Panel
from verl_ext.report.phases import timing_panels
from verl_ext.report.run import Run
from verl_ext.summary import Stats, change

TEMPLATES = Path(__file__).parent / "templates"
SURE = 3.0
"""A change is coloured when it is more than this many standard errors of the paired difference."""


@dataclass(frozen=True)
class Page:
    """A finished page."""

    html: str
    panels: list[Panel]
    notices: list[str]


def write_report(path: Path, out: Path | None = None) -> tuple[Path, list[str]]:
    """Write the page of a run to `out` (default: `default_out`); returns it and what the page says is missing.

    Works on a run that is still going. ValueError if there is nothing of a run.
    """
    page, out = render(load(path)), out or default_out(path)
    write_page(page.html, out)
    return out, page.notices


def default_out(path: Path) -> Path:
    """report.html in a run folder, NAME.html beside an exported history."""
    return path.with_suffix(".html") if path.is_file() else path / "report.html"


def write_page(html: str, out: Path) -> None:
    """A reader never sees half a page."""
    part = out.with_name(out.name + ".part")
    # A model may emit lone surrogates, which UTF-8 does not have.
    part.write_bytes(html.encode("utf-8", errors="replace"))
    part.replace(out)


def template(name: str) -> Template:
    """A template with the filters of all pages. Autoescaped: whatever comes from model, data or config is text."""
    pages = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    pages.filters.update(percent=_percent, change=_change, verdict=verdict, colour=plots.colour_of)
    pages.filters.update(gold=examples.short_gold, points=_points, p_value=_p_value, place=_place)
    return pages.get_template(name)


def render(run: Run) -> Page:
    """The page of one run."""
    glance = list(panels.category_panels(run))
    sections = _sections(run)
    chosen, outcomes = examples.choose_examples(run)
    pictures.add_images(run, chosen)
    timing, phases = timing_panels(run)
    html = template("page.html").render(
        run=run,
        recent=panels.RECENT,
        ends=run.ends(),
        about=about(run),
        tiles=_tiles(run),
        rows=_accuracy_rows(run),
        glance=glance,
        sections=sections,
        examples=chosen,
        outcomes=outcomes,
        timing=timing,
        phases=phases,
        settings=settings.headline(run),
        task_settings=settings.per_task(run),
    )
    drawn = [panel for section in sections for task in section["tasks"] for panel in task["panels"]]
    return Page(html, [*glance, *drawn, *timing], run.notices)


def verdict(s: Stats | None) -> str:
    """The class of a change: up, down or same (within SURE standard errors, or not known)."""
    if not s or s["acc_after"] is None or s["se_diff"] is None:
        return "same"
    points = s["acc_after"] - s["acc_before"]
    return "same" if abs(points) <= SURE * s["se_diff"] else "up" if points > 0 else "down"


def _sections(run: Run) -> list[dict[str, Any]]:
    """Per category its tasks with their charts; tasks without any are left out."""
    category_of = run.category_of()
    tasks = run.names("task")
    order = [*CATEGORIES, *sorted(set(category_of.values()).difference(CATEGORIES)), None]
    per_task = {}
    # A bar on a terminal only, and not for the second that a run of a few hundred steps takes.
    for task in tqdm(tasks, desc="charts", unit="task", disable=None, delay=1.0, leave=False):
        per_task[task] = list(panels.task_panels(run, task, category_of.get(task)))
    found = []
    for category in order:
        mine = [task for task in tasks if category_of.get(task) == category and per_task[task]]
        if mine:
            found.append({
                "category": category or "category not known yet",
                "colour": plots.colour_of(category),
                "tasks": [{"name": t, "stats": _stats(run, "tasks", t), "panels": per_task[t]} for t in mine],
            })  # fmt: skip
    return found


def _stats(run: Run, block: str, name: str) -> Stats | None:
    return run.summary[block].get(name) if run.summary else None


def _accuracy_rows(run: Run) -> list[dict[str, Any]]:
    """Rows of the headline's table: each category followed by its tasks."""
    category_of = run.category_of()
    rows = []
    for category in run.names("category"):
        if stats := _stats(run, "categories", category):
            rows.append({"name": category, "kind": "category", "colour": plots.colour_of(category), "s": stats})
            rows += [
                {"name": task, "kind": "task", "colour": plots.colour_of(category), "s": task_stats}
                for task in run.names("task")
                if category_of.get(task) == category and (task_stats := _stats(run, "tasks", task))
            ]
    return rows


def about(run: Run) -> list[str]:
    """How far the run is, and what it trains."""
    total = run.unfinished
    done = f"step {run.last_step} of {total}: still going, or interrupted" if total else f"{run.last_step} steps"
    named = (run.setting("algorithm", "adv_estimator"), run.setting("actor_rollout_ref", "model", "path"))
    return [done, *(str(name) for name in named if name)]


def _tiles(run: Run) -> list[dict[str, Any]]:
    """Figures of all validation responses, before and after."""
    if not run.validations:
        return []
    ends = [run.responses(v.step) for v in run.validations[:1] + run.validations[1:][-1:]]
    tiles = []
    for key, label, unit in (
        ("format", "right format", "%"),
        ("truncated", "cut off", "%"),
        ("response_tokens", "response length", "tokens"),
    ):
        values = [end[key] for end in ends if key in end]
        if len(values) == len(ends):
            shown = [_percent(value) if unit == "%" else f"{value:,.1f}" for value in values]
            tiles.append({"label": label, "text": " → ".join(shown), "unit": unit})
    return tiles


def _change(s: Stats) -> str:
    return "–" if s["acc_after"] is None else change(s).replace("-", "−")


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}"


def _points(share: float) -> str:
    return f"{100 * share:+.1f}".replace("-", "−")


def _p_value(p: float) -> str:
    return "p < 0.001" if p < 0.001 else f"p = {p:.{2 if p >= 0.1 else 3}f}"


def _place(share: float, reach: int) -> str:
    """Percent of an axis from -reach to reach points."""
    return f"{50 + 50 * 100 * share / reach:.1f}"
