"""Where the time of a run went, and how many tokens a second it made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from verl_ext.report import plots
from verl_ext.report.frame import WIDE
from verl_ext.report.panel import Key, Panel, curve_panel
from verl_ext.report.plots import Line
from verl_ext.report.run import Run

THROUGHPUT = "perf/throughput"
"""verl's tokens per second and GPU, of prompts and responses over the whole step"""
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
class Phase:
    """One row of the table of times, in seconds."""

    label: str
    colour: str | None
    median: float | None
    total: float


def timing_panels(run: Run) -> tuple[list[Panel], list[Phase]]:
    """Seconds per step, piled up by phase, and tokens per second; the rows are also the legend of the first chart."""
    steps, whole = run.series("timing_s/step")
    if not steps.size:
        return [], []
    layers, rest = _layers(run, steps, whole)
    svg = plots.stack(
        steps, [*((colour, values) for _, colour, values, _ in layers), ("grid", rest)], label="Seconds per step"
    )
    keys = [Key(label, colour, "area") for label, colour, *_ in layers]
    panels: list[Panel | None] = [
        Panel("time per step", "Time per step", "seconds", svg, [*keys, Key("other", "grid", "area")])
    ]
    line = Line("throughput", "c1", run.series(THROUGHPUT))
    panels.append(curve_panel("Throughput", "tokens per second and GPU", "throughput", [line], width=WIDE))
    return [panel for panel in panels if panel], timing_rows(run)


def timing_rows(run: Run) -> list[Phase]:
    """Median and sum of every phase, of the step, of validation and of both; [] where nothing was timed."""
    steps, whole = run.series("timing_s/step")
    if not steps.size:
        return []
    layers, rest = _layers(run, steps, whole)
    rows = [Phase(label, colour, float(np.median(own)), float(own.sum())) for label, colour, _, own in layers]
    rows.append(Phase("other", "grid", float(np.median(rest)), float(rest.sum())))
    rows.append(Phase("step", None, float(np.median(whole)), float(whole.sum())))
    _, testing = run.series("timing_s/testing")
    if testing.size:
        rows.append(Phase("validation", None, float(np.median(testing)), float(testing.sum())))
        rows.append(Phase("all", None, None, float(whole.sum() + testing.sum())))
    return rows


def throughput(run: Run) -> float | None:
    """Median over the steps."""
    _, values = run.series(THROUGHPUT)
    return float(np.median(values)) if values.size else None


def _layers(
    run: Run, steps: np.ndarray, whole: np.ndarray
) -> tuple[Sequence[tuple[str, str, np.ndarray, np.ndarray]], np.ndarray]:
    """(label, colour, seconds (S,), seconds where timed) of each phase, and what is left of the steps."""
    rest, layers = whole.copy(), []
    for name, (label, colour) in PHASES.items():
        have, seconds = run.series(f"timing_s/{name}")
        if have.size:
            values = np.zeros_like(whole)
            values[np.isin(steps, have)] = seconds[np.isin(have, steps)]
            rest -= values
            layers.append((label, colour, values, seconds))
    return layers, np.maximum(rest, 0)
