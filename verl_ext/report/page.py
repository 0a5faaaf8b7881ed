"""The page: gathers charts, figures and examples of a run and renders templates/page.html."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from data_prep.schema import CATEGORIES
from verl_ext.report import examples, panels, pictures, plots
from verl_ext.report.run import Run, bounds, load_run
from verl_ext.summary import Stats, change

TEMPLATES = Path(__file__).parent / "templates"
SETTINGS = {
    "Model": "actor_rollout_ref.model.path",
    "Advantages": "algorithm.adv_estimator",
    "Zero-signal groups": "algorithm.g2rpo.zero_signal",
    "Prompts per step": "data.train_batch_size",
    "Responses per prompt": "actor_rollout_ref.rollout.n",
    "Mini-batch, prompts": "actor_rollout_ref.actor.ppo_mini_batch_size",
    "Learning rate": "actor_rollout_ref.actor.optim.lr",
    "Loss aggregation": "actor_rollout_ref.actor.loss_agg_mode",
    "Temperature": "actor_rollout_ref.rollout.temperature",
    "Longest response, tokens": "data.max_response_length",
    "Training data": "data.train_files",
    "Validation data": "data.val_files",
}
WEIGHTS = ("format_weight", "length_weight", "structure_weight")
SURE = 3.0
"""A change is coloured when it is more than this many standard errors of the paired difference."""


def write_report(path: Path) -> tuple[Path, list[str]]:
    """Write `path`/report.html; returns it and what the page says is missing.

    Works on a run that is still going. ValueError if the folder holds nothing of a run.
    """
    run = load_run(path)
    html = render(run)
    part = path / "report.html.part"
    # A model may emit lone surrogates, which UTF-8 does not have.
    part.write_bytes(html.encode("utf-8", errors="replace"))
    part.replace(path / "report.html")
    return path / "report.html", run.notices


def render(run: Run) -> str:
    """The HTML of a run. Autoescaped: whatever comes from the model, the data or the config is text."""
    glance = list(panels.category_panels(run))
    sections = _sections(run)
    chosen, outcomes = examples.choose_examples(run)
    pictures.add_images(run, chosen)
    timing, phases = panels.timing_panel(run)
    page = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    page.filters.update(percent=_percent, change=_change, verdict=verdict, colour=plots.colour_of)
    page.filters.update(gold=examples.short_gold)
    return page.get_template("page.html").render(
        run=run,
        recent=panels.RECENT,
        name=run.path.resolve().name,
        about=_about(run),
        tiles=_tiles(run),
        rows=_accuracy_rows(run),
        glance=glance,
        sections=sections,
        examples=chosen,
        outcomes=outcomes,
        timing=timing,
        phases=phases,
        settings=[
            (label, value) for label, key in SETTINGS.items() if (value := run.setting(*key.split("."))) is not None
        ],
        task_settings=_task_settings(run),
    )


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


def _about(run: Run) -> list[str]:
    """How far the run is, and what it trains."""
    last = max([record["step"] for record in run.metrics] + [v.step for v in run.validations])
    total = run.setting("trainer", "total_training_steps")
    done = f"{last} steps"
    if isinstance(total, int) and last < total:
        done = f"step {last} of {total}: still going, or interrupted"
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


def _task_settings(run: Run) -> list[dict[str, Any]]:
    """The merged shaping settings of every task."""
    if not isinstance(run.setting("verl_ext"), dict):
        return []
    category_of = run.category_of()
    rows = []
    for task in run.names("task"):
        settings = run.settings(task, category_of.get(task))
        envelope = bounds(settings.get("envelope"), 4)
        band = bounds(settings.get("entropy_band"), 2)
        rows.append({
            "task": task,
            "envelope": " · ".join(f"{each:,.0f}" for each in envelope) if envelope else "none",
            "band": " to ".join(f"{each:g}" for each in band) if band else "none",
            "coeff": settings.get("entropy_coeff", ""),
            "weights": " · ".join(str(settings.get(key, "")) for key in WEIGHTS),
        })  # fmt: skip
    return rows


def _change(s: Stats) -> str:
    return "–" if s["acc_after"] is None else change(s).replace("-", "−")


def _percent(share: float | None, digits: int = 1) -> str:
    return "–" if share is None else f"{100 * share:.{digits}f}"
