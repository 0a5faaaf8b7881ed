"""Charts: a value, or a difference of two values, read off a real matplotlib bar chart.

Rows (info shortened):
    {"data_source": "offline/bar_value", "ability": "chart_vqa",
     "prompt": "<image>What is the value of the red bar? ...", "ground_truth": "70",
     "info": {"target": "70", "worked": "red 70"}}
    {"data_source": "offline/bar_difference", "prompt": "<image>How much higher is the red bar than the blue bar? ...",
     "ground_truth": "40", "info": {"target": "40", "worked": "red 70 ; blue 30 ; 70 - 30 = 40"}}
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import numpy as np
from PIL import Image

from data_prep.offline.canvas import COLORS, GRID, Example, Scene

BARS = 3


@lru_cache
def _figure(size: int) -> tuple[Any, Any, Any]:
    """Figure, bars, and the drawn picture without bars, made once a process: axes and ticks are the slow part."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    dpi = 100 * size / 128
    figure = Figure(figsize=(1.28, 1.28), dpi=dpi)
    canvas = FigureCanvasAgg(figure)
    axes = figure.add_axes((0.25, 0.06, 0.75, 0.88))
    bars = axes.bar(range(BARS), [50] * BARS, width=0.75, zorder=2)
    axes.set_xlim(-0.5, BARS - 0.5)
    axes.set_ylim(0, 100)
    axes.set_xticks([])
    axes.set_yticks(range(0, 101, 20))
    axes.tick_params(axis="y", labelsize=6.5, length=2, pad=1, width=0.6)
    axes.grid(axis="y", color="0.8", linewidth=0.6, zorder=0)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    for bar in bars:
        bar.set_visible(False)
    canvas.draw()
    empty = canvas.copy_from_bbox(figure.bbox)
    for bar in bars:
        bar.set_visible(True)
    return figure, bars, empty


def draw_chart(scene: Scene, colors: list[str], values: list[int]) -> Image.Image:
    """The chart as RGB; bars from left to right."""
    figure, bars, empty = _figure(scene.size)
    axes = figure.axes[0]
    figure.canvas.restore_region(empty)
    for place, (bar, color, value) in enumerate(zip(bars, colors, values, strict=True), start=1):
        scene.notes[place, GRID - 1] = f"{color} {value}"
        bar.set_height(value)
        bar.set_facecolor(tuple(part / 255 for part in COLORS[color]))
        axes.draw_artist(bar)
    axes.draw_artist(axes.spines["bottom"])
    return Image.fromarray(np.asarray(figure.canvas.buffer_rgba())[..., :3].copy())


def _draw_facts(scene: Scene) -> tuple[list[str], list[int]]:
    rng = scene.rng
    return scene.facts(lambda: (rng.sample(list(COLORS), BARS), [10 * n for n in rng.sample(range(1, 10), BARS)]))


def bar_value(scene: Scene) -> Example:
    colors, values = _draw_facts(scene)
    asked = scene.rng.randrange(BARS)
    truth = str(values[asked])
    question = f"What is the value of the {colors[asked]} bar?"
    return Example(draw_chart(scene, colors, values), question, truth, f"{colors[asked]} {truth}", truth)


def bar_difference(scene: Scene) -> Example:
    colors, values = _draw_facts(scene)
    low, high = sorted(scene.rng.sample(range(BARS), 2), key=lambda bar: values[bar])
    truth = str(values[high] - values[low])
    question = f"How much higher is the {colors[high]} bar than the {colors[low]} bar?"
    worked = f"{colors[high]} {values[high]} ; {colors[low]} {values[low]} ; {values[high]} - {values[low]} = {truth}"
    return Example(draw_chart(scene, colors, values), question, truth, worked, truth)
