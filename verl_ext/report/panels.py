"""Which charts a task, a category and the run get. Every chart that has no data is left out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from markupsafe import Markup

from verl_ext.report import plots
from verl_ext.report.plots import Band, Line
from verl_ext.report.run import Run, as_mapping, bounds

RECENT = 10
"""last steps that the figures under the charts are means of"""
PHASES = {
    "gen": ("generation", "c6"),
    "reward": ("reward", "c5"),
    "old_log_prob": ("log-probabilities, entropy", "c1"),
    "ref": ("reference policy", "muted"),
    "adv": ("advantages", "ink"),
    "update_actor": ("policy update", "c2"),
    "update_weights": ("weights to the rollout", "c3"),
    "save_checkpoint": ("checkpoint", "c4"),
}
"""verl's timers inside of a step, which do not overlap: {timing_s/…: (label, colour)}"""


@dataclass(frozen=True)
class Key:
    """One entry of a chart's legend."""

    label: str
    colour: str
    shape: str
    """line, dashed, dot, area or faint (area)"""


@dataclass(frozen=True)
class Panel:
    """One chart with what the page writes around it."""

    title: str
    unit: str
    svg: Markup
    keys: list[Key]
    note: str = ""


def task_panels(run: Run, task: str, category: str | None) -> Iterator[Panel]:
    """The charts of one task."""
    colour = plots.colour_of(category)
    settings = run.settings(task, category)
    at = f"task/{task}"
    found = [
        _accuracy(run, at, task, colour),
        _reward_parts(run, at, colour),
        _length(run, at, colour, bounds(settings.get("envelope"), 4)),
        _entropy(run, at, colour, bounds(settings.get("entropy_band"), 2)),
        _zero_signal(run, at, colour),
        _shares(run, at, colour),
        *_advantages(run, at, colour),
    ]
    yield from (panel for panel in found if panel)


def category_panels(run: Run) -> Iterator[Panel]:
    """One curve per category, without legends: the page names the categories' colours once."""
    charts = (
        ("accuracy", "Accuracy in training", "", True),
        ("response_length/mean", "Response length", "mean, tokens", False),
        ("entropy", "Entropy", "nats per token", False),
        ("gradient_weight_share", "Share of the gradient weight", "", True),
    )
    for metric, title, unit, percent in charts:
        lines = [
            Line(name, plots.colour_of(name), run.series(f"category/{name}/{metric}")) for name in run.names("category")
        ]
        top = 1.0 if metric == "accuracy" else None
        if panel := _curves(title, unit, f"{title} by category", lines, percent=percent, top=top, faint=False):
            yield replace(panel, keys=[])


def timing_panel(run: Run) -> tuple[Panel | None, list[dict[str, Any]]]:
    """Seconds per step, piled up by phase, and rows {label, colour, median, total} that are also its legend."""
    steps, whole = run.series("timing_s/step")
    if not steps.size:
        return None, []
    rest = whole.copy()
    layers, rows = [], []
    for name, (label, colour) in PHASES.items():
        have, seconds = run.series(f"timing_s/{name}")
        if have.size:
            values = np.zeros_like(whole)
            values[np.isin(steps, have)] = seconds[np.isin(have, steps)]
            rest -= values
            layers.append((label, colour, values, seconds))
    rest = np.maximum(rest, 0)
    layers.append(("other", "grid", rest, rest))
    for label, colour, values, seconds in layers:
        rows.append({"label": label, "colour": colour, "median": np.median(seconds), "total": values.sum()})
    rows.append({"label": "step", "colour": None, "median": np.median(whole), "total": whole.sum()})
    _, testing = run.series("timing_s/testing")
    if testing.size:
        rows.append({"label": "validation", "colour": None, "median": np.median(testing), "total": testing.sum()})
        rows.append({"label": "all", "colour": None, "median": None, "total": whole.sum() + testing.sum()})
    svg = plots.stack(steps, [(colour, values) for _, colour, values, _ in layers], label="Seconds per step")
    return Panel("Time per step", "seconds", svg, []), rows


def _accuracy(run: Run, at: str, task: str, colour: str) -> Panel | None:
    steps, means, errors = run.accuracy("task", task)
    if len(steps) < 2 and f"{at}/accuracy" not in run.keys:
        return None
    lines = [
        Line("training, sampled", colour, run.series(f"{at}/accuracy")),
        Line("validation ± SE", "ink", (steps, means), errors=errors),
    ]
    return _curves("Accuracy", "", f"{at}: accuracy", lines, percent=True, top=1.0)


def _reward_parts(run: Run, at: str, colour: str) -> Panel | None:
    parts = (("format", "format", "c5"), ("structure", "structure", "c3"), ("length_reward", "length", "c6"))
    lines = [Line(label, _other(own, colour), run.series(f"{at}/{key}")) for key, label, own in parts]
    # A task without JSON answers has no structure part, one without an envelope no length part.
    lines = [line for line in lines if line.label == "format" or line.points[1].any()]
    lines.insert(0, Line("reward", colour, run.series(f"{at}/reward")))
    return _curves("Reward and its parts", "0 to 1 each", f"{at}: reward parts", lines, faint=False)


def _length(run: Run, at: str, colour: str, envelope: list[float] | None) -> Panel | None:
    lines = [
        Line("mean", colour, run.series(f"{at}/response_length/mean")),
        Line("95th percentile", colour, run.series(f"{at}/response_length/p95"), dashed=True),
    ]
    bands = []
    if envelope:
        start, peak_start, peak_end, end = envelope
        bands = [
            Band("full length reward", peak_start, peak_end),
            Band("part of it", start, peak_start, 0.08),
            Band("", peak_end, end, 0.08),
        ]
    _, cut = run.series(f"{at}/response_length/truncated")
    note = f"truncated: {_percent(_recent(cut))}" if cut.size else ""
    return _curves("Response length", "tokens", f"{at}: response length", lines, bands=bands, note=note, faint=False)


def _entropy(run: Run, at: str, colour: str, band: list[float] | None) -> Panel | None:
    lines = [Line("policy", colour, run.series(f"{at}/entropy"))]
    _, inside = run.series(f"{at}/entropy_in_band")
    note = f"inside the band in {_percent(inside.mean())} of {inside.size} steps" if inside.size else ""
    bands = [Band("band", *band)] if band else []
    return _curves("Entropy", "nats per token", f"{at}: entropy", lines, bands=bands, note=note)


def _zero_signal(run: Run, at: str, colour: str) -> Panel | None:
    lines = [
        Line("equal rewards", colour, run.series(f"{at}/zero_signal_groups")),
        Line("only shaping differs", "muted", run.series(f"{at}/shaping_only_groups"), dashed=True),
    ]
    _, groups = run.series(f"{at}/groups")
    note = f"{_recent(groups):.3g} groups a step" if groups.size else ""
    return _curves("Prompt groups", "share", f"{at}: zero signal", lines, percent=True, top=1.0, note=note)


def _shares(run: Run, at: str, colour: str) -> Panel | None:
    lines = [
        Line("tokens", "muted", run.series(f"{at}/token_share"), dashed=True),
        Line("gradient weight", colour, run.series(f"{at}/gradient_weight_share")),
    ]
    return _curves("Share of the batch", "", f"{at}: shares", lines, percent=True, faint=False)


def _advantages(run: Run, at: str, colour: str) -> list[Panel]:
    pooled = pooled_histogram(run, f"{at}/advantage/hist")
    if pooled is None:
        return []
    edges, counts, steps = pooled
    recent = {name: _recent(run.series(f"{at}/advantage/{name}")[1]) for name in ("mean", "std", "min", "max")}
    note = ""
    if None not in recent.values():
        note = "mean {mean:.2f}, sd {std:.2f}, {min:.2f} to {max:.2f}".format(**recent).replace("-", "−")
    flat = "flat at 0: groups without a signal" if run.series(f"{at}/zero_signal_groups")[1].any() else ""
    over = f"{steps} step{'s' * (steps > 1)}"
    normal = Key("N(0,1)", "ink", "line")
    bars = plots.histogram(edges, counts, colour=colour, label=f"{at}: advantages")
    points = plots.quantiles(edges, counts, colour=colour, label=f"{at}: advantage quantiles")
    return [
        Panel("Advantages", f"density, {over}", bars, [Key("responses", colour, "area"), normal], note),
        Panel("Advantage quantiles", "against N(0,1)", points, [Key("responses", colour, "dot"), normal], flat),
    ]


def pooled_histogram(run: Run, key: str) -> tuple[np.ndarray, np.ndarray, int] | None:
    """Edges (B + 1,) and summed counts (B,) of the steps whose edges are those of the newest, and their number."""
    found: list[tuple[np.ndarray, np.ndarray]] = []
    for record in run.metrics:
        hist = as_mapping(record.get(key))
        try:
            edges, counts = (np.asarray(hist.get(name), dtype=float) for name in ("edges", "counts"))
        except (TypeError, ValueError):
            continue
        if counts.ndim == 1 and edges.shape == (len(counts) + 1,) and (np.diff(edges) > 0).all() and counts.sum() > 0:
            found.append((edges, counts))
    if not found:
        return None
    newest = found[-1][0]
    same = [counts for edges, counts in found if np.array_equal(edges, newest)]
    return newest, np.sum(same, axis=0), len(same)


def _curves(
    title: str,
    unit: str,
    label: str,
    lines: list[Line],
    *,
    bands: list[Band] | None = None,
    note: str = "",
    percent: bool = False,
    top: float | None = None,
    faint: bool = True,
) -> Panel | None:
    """A panel of the lines that have points. `faint` keeps the thin curve of every step behind the moving mean."""
    lines = [line for line in lines if line.points[0].size]
    if not lines:
        return None
    keys = [Key(line.label, line.colour, _shape(line)) for line in lines]
    keys += [Key(band.label, "band", "area" if band.strength > 0.1 else "faint") for band in bands or [] if band.label]
    svg = plots.curves(lines, label=label, bands=bands or (), top=top, percent=percent, faint=faint)
    return Panel(title, unit, svg, keys, note)


def _shape(line: Line) -> str:
    return "dot" if line.errors is not None else "dashed" if line.dashed else "line"


def _other(colour: str, taken: str) -> str:
    return "c1" if colour == taken else colour


def _recent(values: np.ndarray) -> Any:
    return float(values[-RECENT:].mean()) if values.size else None


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
