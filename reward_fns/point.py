"""Points judged by a mask."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .json_bounded import BadJSON, is_number, loads
from .verdict import Verdict, wrong

NEAR = 0.3
SCALE = 0.1


class Mask:
    """A binary mask [height, width] with the distance from a pixel to its nearest set pixel."""

    def __init__(self, pixels: Any) -> None:
        import numpy as np

        self.height, self.width = pixels.shape
        self.pixels = pixels
        # The nearest set pixel of an outside point is on the edge of the mask: keep only those.
        padded = np.pad(pixels, 1)
        inner = padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
        self.edge_y, self.edge_x = (axis.astype("float32") for axis in np.nonzero(pixels & ~inner))
        if not self.edge_x.size:
            raise ValueError("the mask is empty")

    def distance(self, x: float, y: float) -> float:
        """Pixels from the centre of the nearest set pixel to the pixel coordinates (x, y)."""
        return math.sqrt(float(((self.edge_x + 0.5 - x) ** 2 + (self.edge_y + 0.5 - y) ** 2).min()))

    def contains(self, x: float, y: float) -> bool:
        """Whether the pixel that holds (x, y) is set; points outside the image are not."""
        column, row = math.floor(x), math.floor(y)
        return 0 <= column < self.width and 0 <= row < self.height and bool(self.pixels[row, column])

    def closeness(self, x: float, y: float) -> float:
        """1 inside, else 0.3 exp(-(d / (0.1 diagonal))^2)."""
        if self.contains(x, y):
            return 1.0
        return NEAR * math.exp(-((self.distance(x, y) / (SCALE * math.hypot(self.width, self.height))) ** 2))


def truth_mask(ground_truth: Any) -> Mask:
    """The mask of a row: COCO run-length `{"size": [h, w], "counts": text or list}` or its JSON text."""
    return _decode(ground_truth if isinstance(ground_truth, str) else json.dumps(ground_truth))


@lru_cache(maxsize=64)
def _decode(text: str) -> Mask:
    from pycocotools import mask as coco

    value = json.loads(text)
    if not isinstance(value, dict) or not {"size", "counts"} <= set(value):
        raise ValueError(f"ground_truth {text[:80]!r} is not a run-length mask with size and counts")
    height, width = value["size"]
    if isinstance(value["counts"], list):
        value = coco.frPyObjects(value, height, width)
    return Mask(coco.decode(value).astype(bool))


def read_point(value: Any) -> tuple[float, float]:
    """The point in a parsed `{"point_2d": [x, y]}`, 0-1000; BadJSON unless it is exactly one, in range."""
    if not isinstance(value, dict) or list(value) != ["point_2d"]:
        raise BadJSON('not an object with the one key "point_2d"')
    point = value["point_2d"]
    if not isinstance(point, list) or len(point) != 2 or not all(map(is_number, point)):
        raise BadJSON("a point is two numbers")
    x, y = map(float, point)
    if not (0 <= x <= 1000 and 0 <= y <= 1000):
        raise BadJSON(f"point {point} is out of range")
    return x, y


def verify_point(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: the point is inside the mask. Reward: 1 inside, else up to 0.3 by the distance to the mask."""
    mask = truth_mask(ground_truth)
    try:
        x, y = read_point(loads(answer))
    except BadJSON as error:
        return wrong(str(error))
    px, py = x / 1000 * mask.width, y / 1000 * mask.height
    inside = mask.contains(px, py)
    return Verdict(float(inside), mask.closeness(px, py), (x, y), "" if inside else "outside the mask")


def point_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """1 if the answer is a point that `verify_point` can judge."""
    try:
        read_point(loads(answer))
    except BadJSON:
        return 0.0
    return 1.0
