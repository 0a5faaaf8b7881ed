"""Which charts a task, a category and the run get. Every chart that has no data is left out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from verl_ext.report import plots
from verl_ext.report.panel import Key, Panel, curve_panel
from verl_ext.report.plots import Band, Line
from verl_ext.report.run import Run, as_mapping, bounds

RECENT = 10
"""last steps that the figures under the charts are means of"""
ENVELOPE = ("min_start", "peak_start", "peak_end", "max_end")
"""as in the metrics `task/<task>/envelope/<bound>`"""


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
        _coefficient(run, at, colour),
    ]
    yield from (panel for panel in found if panel)


def category_panels(run: Run) -> Iterator[Panel]:
    """One curve per category; the page names the categories' colours once for all charts."""
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
        if panel := curve_panel(title, unit, f"{title} by category", lines, percent=percent, top=top, faint=False):
            yield panel


def _accuracy(run: Run, at: str, task: str, colour: str) -> Panel | None:
    steps, means, errors = run.accuracy("task", task)
    if len(steps) < 2 and f"{at}/accuracy" not in run.keys:
        return None
    lines = [
        Line("training, sampled", colour, run.series(f"{at}/accuracy")),
        Line("validation ± SE" if errors.any() else "validation", "ink", (steps, means), errors=errors),
    ]
    return curve_panel("Accuracy", "", f"{at}: accuracy", lines, percent=True, top=1.0)


def _reward_parts(run: Run, at: str, colour: str) -> Panel | None:
    parts = (("format", "format", "c5"), ("structure", "structure", "c3"), ("length_reward", "length", "c6"))
    lines = [Line(label, _other(own, colour), run.series(f"{at}/{key}")) for key, label, own in parts]
    # A task without JSON answers has no structure part, one without an envelope no length part.
    lines = [line for line in lines if line.label == "format" or line.points[1].any()]
    lines.insert(0, Line("reward", colour, run.series(f"{at}/reward")))
    return curve_panel("Reward and its parts", "0 to 1 each", f"{at}: reward parts", lines, faint=False)


def _length(run: Run, at: str, colour: str, envelope: list[float] | None) -> Panel | None:
    lines = [
        Line("mean", colour, run.series(f"{at}/response_length/mean")),
        Line("95th percentile", colour, run.series(f"{at}/response_length/p95"), dashed=True),
    ]
    _, cut = run.series(f"{at}/response_length/truncated")
    note = f"truncated: {_percent(_recent(cut))}" if cut.size else ""
    bands = _envelope(run, at, envelope)
    return curve_panel(
        "Response length", "tokens", f"{at}: response length", lines, bands=bands, note=note, faint=False
    )


def _envelope(run: Run, at: str, static: list[float] | None) -> list[Band]:
    """The envelope that judged each step where it moves, else the configured one."""
    bounds_4: Any = static
    steps = None
    moving = [run.series(f"{at}/envelope/{bound}") for bound in ENVELOPE]
    if moving[0][0].size and all(np.array_equal(moving[0][0], own) for own, _ in moving):
        steps, bounds_4 = moving[0][0], [values for _, values in moving]
    if bounds_4 is None:
        return []
    start, peak_start, peak_end, end = bounds_4
    return [
        Band("full length reward", peak_start, peak_end, steps=steps),
        Band("part of it", start, peak_start, 0.08, steps),
        Band("", peak_end, end, 0.08, steps),
    ]


def _entropy(run: Run, at: str, colour: str, band: list[float] | None) -> Panel | None:
    lines = [Line("policy", colour, run.series(f"{at}/entropy"))]
    _, inside = run.series(f"{at}/entropy_in_band")
    _, coeff = run.series(f"{at}/entropy_coeff")
    notes = [f"inside the band in {_percent(inside.mean())} of {inside.size} steps"] if inside.size else []
    if coeff.size and not np.ptp(coeff):
        notes.append(f"coefficient {coeff[0]:g}")
    bands = [Band("band", band[0], band[1])] if band else []
    return curve_panel("Entropy", "nats per token", f"{at}: entropy", lines, bands=bands, note=", ".join(notes))


def _coefficient(run: Run, at: str, colour: str) -> Panel | None:
    """Only where it moves; a constant one stands under the entropy."""
    steps, coeff = run.series(f"{at}/entropy_coeff")
    if not coeff.size or not np.ptp(coeff):
        return None
    lines = [Line("entropy term", colour, (steps, coeff))]
    return curve_panel("Entropy coefficient", "", f"{at}: entropy coefficient", lines, faint=False)


def _zero_signal(run: Run, at: str, colour: str) -> Panel | None:
    lines = [
        Line("equal rewards", colour, run.series(f"{at}/zero_signal_groups")),
        Line("only shaping differs", "muted", run.series(f"{at}/shaping_only_groups"), dashed=True),
    ]
    _, groups = run.series(f"{at}/groups")
    note = f"{_recent(groups):.3g} groups a step" if groups.size else ""
    return curve_panel("Prompt groups", "share", f"{at}: zero signal", lines, percent=True, top=1.0, note=note)


def _shares(run: Run, at: str, colour: str) -> Panel | None:
    lines = [
        Line("tokens", "muted", run.series(f"{at}/token_share"), dashed=True),
        Line("gradient weight", colour, run.series(f"{at}/gradient_weight_share")),
    ]
    return curve_panel("Share of the batch", "", f"{at}: shares", lines, percent=True, faint=False)


def _advantages(run: Run, at: str, colour: str) -> list[Panel]:
    pooled = pooled_histogram(run, f"{at}/advantage/hist")
    if pooled is None:
        return []
    edges, counts, steps = pooled
    recent = {name: _recent(run.series(f"{at}/advantage/{name}")[1]) for name in ("mean", "std", "min", "max")}
    note = ""
    if None not in recent.values():
        note = "mean {mean:.2f}, sd {std:.2f}, {min:.2f} to {max:.2f}".format(
            **{name: round(value, 2) + 0.0 for name, value in recent.items()}
        )
        note = note.replace("-", "−")
    flat = "flat at 0: groups without a signal" if run.series(f"{at}/zero_signal_groups")[1].any() else ""
    over = f"{steps} step{'s' * (steps > 1)}"
    normal = Key("N(0,1)", "ink", "line")
    bars = plots.histogram(edges, counts, colour=colour, label=f"{at}: advantages")
    points = plots.quantiles(edges, counts, colour=colour, label=f"{at}: advantage quantiles")
    return [
        Panel(
            f"{at}: advantages",
            "Advantages",
            f"density, {over}",
            bars,
            [Key("responses", colour, "area"), normal],
            note,
        ),
        Panel(
            f"{at}: advantage quantiles",
            "Advantage quantiles",
            "against N(0,1)",
            points,
            [Key("responses", colour, "dot"), normal],
            flat,
        ),
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


def _other(colour: str, taken: str) -> str:
    return "c1" if colour == taken else colour


def _recent(values: np.ndarray) -> Any:
    return float(values[-RECENT:].mean()) if values.size else None


def _percent(share: float) -> str:
    return f"{100 * share:.3g} %"
