"""The offline data set: twelve tasks of six categories, drawn on the spot from a seed, no download.

Row i of a split depends only on (seed, split, i), so any number of workers makes the same rows.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from data_prep.offline import chart_vqa, document, general_vqa, grounding, math_vqa, spatial_reasoning
from data_prep.offline.canvas import Example, Scene, png
from data_prep.prompts import THINKING_TAGS, prompt
from data_prep.schema import make_row

EMPTY_CELLS = 3
"""Empty cells that a caption names beside the full ones (charts and documents have none)."""


@dataclass(frozen=True)
class OfflineTask:
    """One offline task."""

    category: str
    """One of the six categories."""
    kind: str
    """Kind of answer, a key of `prompts.ANSWERS`."""
    make: Callable[[Scene], Example]
    """Draws one example."""


TASKS: dict[str, OfflineTask] = {
    "digit_choice": OfflineTask("general_vqa", "choice", general_vqa.digit_choice),
    "shape_color": OfflineTask("general_vqa", "word", general_vqa.shape_color),
    "arithmetic": OfflineTask("math_vqa", "integer", math_vqa.arithmetic),
    "digit_sum": OfflineTask("math_vqa", "integer", math_vqa.digit_sum),
    "bar_value": OfflineTask("chart_vqa", "number", chart_vqa.bar_value),
    "bar_difference": OfflineTask("chart_vqa", "number", chart_vqa.bar_difference),
    "relation": OfflineTask("spatial_reasoning", "choice", spatial_reasoning.relation),
    "point_to": OfflineTask("spatial_reasoning", "point", spatial_reasoning.point_to),
    "field_read": OfflineTask("document", "text", document.field_read),
    "receipt_total": OfflineTask("document", "text", document.receipt_total),
    "shape_box": OfflineTask("grounding", "box", grounding.shape_box),
    "digit_box": OfflineTask("grounding", "box", grounding.digit_box),
}


@dataclass(frozen=True)
class OfflineSource:
    """The arguments on which the rows depend."""

    seed: int = 0
    image_size: int = 128
    thinking_tag: str = "thinking"

    def __post_init__(self) -> None:
        if self.seed < 0:
            raise ValueError(f"seed is {self.seed}; it must be 0 or more")
        if self.image_size % 32 or not 128 <= self.image_size <= 512:
            raise ValueError(f"image size is {self.image_size}; it must be a multiple of 32 from 128 to 512")
        if self.thinking_tag not in THINKING_TAGS:
            raise ValueError(f"unknown thinking tag {self.thinking_tag!r}; use one of {', '.join(THINKING_TAGS)}")

    def task_at(self, split: str, index: int) -> str:
        """Task of row `index`: every 12 rows hold each task once, in an order of their own."""
        order = list(TASKS)
        random.Random(f"order {self.seed} {split} {index // len(order)}").shuffle(order)
        return order[index % len(order)]

    def row(self, split: str, index: int) -> dict[str, Any]:
        """Row `index` of a split ("train" or "val")."""
        name = self.task_at(split, index)
        task = TASKS[name]
        rng = random.Random(f"row {self.seed} {split} {index}")
        scene = Scene(rng=rng, task=name, split=split, size=self.image_size)
        example = task.make(scene)
        caption = scene.caption(empties=0 if task.category in ("chart_vqa", "document") else EMPTY_CELLS)
        return make_row(
            data_source=f"offline/{name}",
            task=name,
            category=task.category,
            index=index,
            prompt=prompt(example.question, kind=task.kind, thinking_tag=self.thinking_tag),
            ground_truth=example.ground_truth,
            info={**example.info, "worked": example.worked, "target": example.target, "caption": caption},
            images=[png(example.image)],
        )
