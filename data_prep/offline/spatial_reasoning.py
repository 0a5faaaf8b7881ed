"""Spatial reasoning: how two shapes lie to each other by multiple choice, pointing at a shape judged by its mask.

Rows (info shortened):
    {"data_source": "offline/relation", "ability": "spatial_reasoning", "ground_truth": "B",
     "prompt": "<image>Where is the red circle relative to the blue square? A. above B. left C. right D. below ...",
     "info": {"choices": {"A": "above", "B": "left", "C": "right", "D": "below"}, "target": "B", "worked":
     "red circle a2 ; blue square d2 ; left ; above A , left B , ... ; so left B"}}
    {"data_source": "offline/point_to", "prompt": "<image>Point to the green square. ...",
     "ground_truth": {"size": [128, 128], "counts": "..."}, "info": {"point_format": "relative_1000", "width": 128,
     "height": 128, "target": "{\"point_2d\": [380, 610]}", "worked": "green square b3"}}
"""

from __future__ import annotations

import json

import numpy as np

from data_prep.offline.canvas import COLORS, SHAPES, Cell, Example, Scene, blank, cell_text, draw_shape, tens
from data_prep.offline.general_vqa import options

DIRECTIONS = {"left": (-1, 0), "right": (1, 0), "above": (0, -1), "below": (0, 1)}


def relation(scene: Scene) -> Example:
    """Both shapes stand in one row or one column of cells, so that exactly one direction holds."""
    rng = scene.rng

    def draw() -> tuple[str, list[str], list[str], Cell, Cell]:
        truth = rng.choice(list(DIRECTIONS))
        low, high = sorted(rng.sample(range(4), 2))
        first, second = (low, high) if truth in ("left", "above") else (high, low)
        line = rng.randrange(4)
        cells = [(first, line), (second, line)] if truth in ("left", "right") else [(line, first), (line, second)]
        return truth, rng.sample(SHAPES, 2), rng.sample(list(COLORS), 2), cells[0], cells[1]

    truth, shapes, colors, *cells = scene.facts(draw)
    image = blank(scene)
    names = [f"{color} {shape}" for color, shape in zip(colors, shapes, strict=True)]
    for shape, color, cell in zip(shapes, colors, cells, strict=True):
        draw_shape(scene, image, shape=shape, color=color, cell=cell)
    tail, letter, choices, lookup = options(rng.sample(list(DIRECTIONS), 4), truth)
    places = " ; ".join(f"{name} {cell_text(cell)}" for name, cell in zip(names, cells, strict=True))
    question = f"Where is the {names[0]} relative to the {names[1]}? {tail}"
    return Example(image, question, letter, f"{places} ; {truth} ; {lookup}", letter, {"choices": choices})


def point_to(scene: Scene) -> Example:
    from pycocotools import mask as coco

    shapes, colors, cells = scene.facts(lambda: distinct_things(scene))
    image = blank(scene)
    masks = [
        draw_shape(scene, image, shape=shape, color=color, cell=cell)
        for shape, color, cell in zip(shapes, colors, cells, strict=True)
    ]
    encoded = coco.encode(np.asfortranarray(masks[0].astype(np.uint8)))
    truth = {"size": [int(side) for side in encoded["size"]], "counts": encoded["counts"].decode("ascii")}
    rows, columns = np.nonzero(masks[0])
    point = [tens(1000 * (float(axis.mean()) + 0.5) / scene.size) for axis in (columns, rows)]
    info = {"point_format": "relative_1000", "width": scene.size, "height": scene.size}
    name = f"{colors[0]} {shapes[0]}"
    worked = f"{name} {cell_text(cells[0])}"
    return Example(image, f"Point to the {name}.", truth, worked, json.dumps({"point_2d": point}), info)


def distinct_things(scene: Scene) -> tuple[list[str], list[str], list[Cell]]:
    """Three shapes, the first asked for; the others share its shape or its colour, never both."""
    rng = scene.rng
    shape, color = rng.choice(SHAPES), rng.choice(list(COLORS))
    same_shape = rng.choice([other for other in COLORS if other != color])
    same_color = rng.choice([other for other in SHAPES if other != shape])
    return [shape, shape, same_color], [color, same_shape, color], scene.cells(3)
