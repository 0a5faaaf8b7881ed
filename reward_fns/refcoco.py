"""RefCOCO, RefCOCO+ and RefCOCOg: one box per expression."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from . import published_json as published
from .box import iou, read_box, truth_box
from .json_bounded import BadJSON, is_number, loads
from .verdict import Verdict, wrong

FORMATS = ("relative_1000", "pixels", "unit")


def box_limits(info: Mapping[str, Any]) -> tuple[float, float]:
    """(largest x, largest y) of `info["box_format"]`, which is set per model and never guessed from the values."""
    name = info.get("box_format", "relative_1000")
    if name == "relative_1000":
        return 1000.0, 1000.0
    if name == "unit":
        return 1.0, 1.0
    if name != "pixels":
        raise ValueError(f"box_format must be one of {', '.join(FORMATS)}, got {name!r}")
    width, height = info.get("width"), info.get("height")
    if not (is_number(width) and is_number(height)):
        raise ValueError(f"box_format pixels needs width and height in info, got {width!r} and {height!r}")
    return float(width), float(height)  # type: ignore[arg-type]


def verify_refcoco(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: IoU >= 0.5 of the box that OneThinker's eval_bench.py reads. Reward: 0.8 IoU + 0.2 [IoU >= 0.5].

    Both read one convention, `box_format`; reversed corners are an empty box. Official accepts coordinates beyond the
    image and as texts, the reward does not.
    """
    truth, limits = truth_box(ground_truth), box_limits(info)
    given = published.floats(published.read_object(answer).get("boxes"), 4)
    official = float(given is not None and published.box_iou(_relative(given, limits), list(truth)) >= 0.5)
    try:
        box = read_box(loads(answer), limits)
    except BadJSON as error:
        return wrong(str(error), official=official)
    overlap = iou(_relative(box, limits), truth)
    overlap = 1.0 if overlap > 1 - 1e-9 else overlap
    hit = overlap >= 0.5
    return Verdict(official, 0.8 * overlap + 0.2 * hit, box, "" if overlap == 1 else f"IoU {overlap:.3f}")


def refcoco_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """1 if the answer is a box in the format of the row."""
    try:
        read_box(loads(answer), box_limits(info))
    except BadJSON:
        return 0.0
    return 1.0


def _relative(box: Sequence[float], limits: tuple[float, float]) -> list[float]:
    x, y = 1000 / limits[0], 1000 / limits[1]
    return [box[0] * x, box[1] * y, box[2] * x, box[3] * y]
