"""Bounding boxes: x1, y1, x2, y2 with 0 <= x1 < x2 <= limit; no swapping, no clipping, no guessing of units."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from .json_bounded import BadJSON, is_number, loads
from .verdict import Verdict, wrong

Box = tuple[float, float, float, float]


def read_box(value: Any, limits: tuple[float, float] = (1000.0, 1000.0)) -> Box:
    """The box in a parsed `{"boxes": [x1, y1, x2, y2]}`; BadJSON unless it is one, in range, with an area."""
    if not isinstance(value, dict) or list(value) != ["boxes"]:
        raise BadJSON('not an object with the one key "boxes"')
    return check_box(value["boxes"], limits)


def check_box(value: Any, limits: tuple[float, float] = (1000.0, 1000.0)) -> Box:
    """`value` as a box; BadJSON unless it is four numbers in range and order."""
    if not isinstance(value, list) or len(value) != 4 or not all(map(is_number, value)):
        raise BadJSON("a box is four numbers")
    x1, y1, x2, y2 = map(float, value)
    if not (0 <= x1 < x2 <= limits[0] and 0 <= y1 < y2 <= limits[1]):
        raise BadJSON(f"box {value} is reversed, empty or out of range")
    return x1, y1, x2, y2


def iou(left: Sequence[float], right: Sequence[float]) -> float:
    """Intersection over union of two boxes with continuous coordinates."""
    width = min(left[2], right[2]) - max(left[0], right[0])
    height = min(left[3], right[3]) - max(left[1], right[1])
    if width <= 0 or height <= 0:
        return 0.0
    shared = width * height
    areas = (left[2] - left[0]) * (left[3] - left[1]) + (right[2] - right[0]) * (right[3] - right[1])
    return shared / (areas - shared)


def truth_box(ground_truth: Any) -> Box:
    """The box of a row (a list, an object with `boxes`, or their JSON text); ValueError otherwise."""
    value = json.loads(ground_truth) if isinstance(ground_truth, str) else ground_truth
    value = value.get("boxes") if isinstance(value, dict) else value
    try:
        return check_box(list(value) if isinstance(value, tuple) else value)
    except BadJSON as error:
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r}: {error}") from error


def verify_box(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: IoU >= 0.5. Reward: 0.8 IoU + 0.2 [IoU >= 0.5]. Coordinates 0-1000 relative to width and height."""
    truth = truth_box(ground_truth)
    try:
        box = read_box(loads(answer))
    except BadJSON as error:
        return wrong(str(error))
    overlap = iou(box, truth)
    hit = overlap >= 0.5
    return Verdict(float(hit), 0.8 * overlap + 0.2 * hit, box, "" if overlap == 1 else f"IoU {overlap:.3f}")


def box_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """1 if the answer is a box that `verify_box` can judge."""
    try:
        read_box(loads(answer))
    except BadJSON:
        return 0.0
    return 1.0
