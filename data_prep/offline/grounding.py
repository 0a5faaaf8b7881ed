"""Grounding: the box of a shape, or of a handwritten digit, among others.

Rows (info shortened; the truth is exact, the target rounded to tens):
    {"data_source": "offline/shape_box", "ability": "grounding",
     "prompt": "<image>Give the bounding box of the blue triangle. ...", "ground_truth": [257.8, 507.8, 476.6, 726.6],
     "info": {"box_format": "relative_1000", "width": 128, "height": 128,
     "target": "{\"boxes\": [260, 510, 480, 730]}", "worked": "blue triangle b3"}}
    {"data_source": "offline/digit_box", "prompt": "<image>Give the bounding box of the digit 7. ...", ...}
"""

from __future__ import annotations

import json

import numpy as np
from PIL import Image

from data_prep.offline.canvas import Cell, Example, Scene, blank, cell_text, draw_shape, mask_box, tens
from data_prep.offline.digits import draw_digit
from data_prep.offline.spatial_reasoning import distinct_things


def _example(scene: Scene, image: Image.Image, name: str, mask: np.ndarray, cell: Cell) -> Example:
    box = mask_box(mask)
    info = {"box_format": "relative_1000", "width": scene.size, "height": scene.size}
    target = json.dumps({"boxes": [tens(value) for value in box]})
    return Example(image, f"Give the bounding box of the {name}.", box, f"{name} {cell_text(cell)}", target, info)


def shape_box(scene: Scene) -> Example:
    shapes, colors, cells = scene.facts(lambda: distinct_things(scene))
    image = blank(scene)
    masks = [
        draw_shape(scene, image, shape=shape, color=color, cell=cell)
        for shape, color, cell in zip(shapes, colors, cells, strict=True)
    ]
    return _example(scene, image, f"{colors[0]} {shapes[0]}", masks[0], cells[0])


def digit_box(scene: Scene) -> Example:
    labels = scene.rng.sample(range(10), 3)
    cells = scene.cells(3)
    image = blank(scene)
    drawn = [draw_digit(scene, image, label=label, cell=cell) for label, cell in zip(labels, cells, strict=True)]
    example = _example(scene, image, f"digit {labels[0]}", drawn[0][0], cells[0])
    example.info["samples"] = [sample for _, sample in drawn]
    return example
