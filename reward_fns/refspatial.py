"""RefSpatial-Bench: points judged by a mask."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .json_bounded import BadJSON, is_number, loads, strip_fence
from .point import Mask, truth_mask
from .verdict import Verdict, wrong

_NUMBER = r"[-+]?\d++(?:\.\d*+)?+"
_VECTOR = re.compile(rf"\(({_NUMBER}(?:,\s*+{_NUMBER})*+)\)")
_PAIR = re.compile(rf"(?:\(\s*+({_NUMBER})\s*+,\s*+({_NUMBER})\s*+\)|\[\s*+({_NUMBER})\s*+,\s*+({_NUMBER})\s*+\])")
_PLAIN = r"[0-9]++(?:\.[0-9]*+)?+|\.[0-9]++"
_ONE_PAIR = re.compile(
    rf"(?P<list>\[\s*+)?(?:\(\s*+({_PLAIN})\s*+,\s*+({_PLAIN})\s*+\)|\[\s*+({_PLAIN})\s*+,\s*+({_PLAIN})\s*+\])"
    r"(?(list)\s*+,?\s*+\])"
)

LIMITS = {"unit": 1.0, "relative_1000": 1000.0}


def point_limit(info: Mapping[str, Any]) -> float:
    """The largest coordinate of `info["point_format"]`; ValueError for an unknown format."""
    name = info.get("point_format", "unit")
    if name not in LIMITS:
        raise ValueError(f"point_format must be one of {', '.join(LIMITS)}, got {name!r}")
    return LIMITS[name]


def verify_refspatial(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: share of the answer's points inside the mask. Reward: exactly one point, by distance to the mask."""
    mask, limit = truth_mask(ground_truth), point_limit(info)
    try:
        official = share_inside(answer, mask) if limit == 1.0 else _share_relative(answer, mask)
    except (ValueError, OverflowError) as error:
        # The authors' script leaves such an item out of the mean; it counts as 0 here.
        return wrong(f"the authors' parser fails: {error}")
    try:
        x, y = read_one_point(answer, limit)
    except BadJSON as error:
        return wrong(str(error), official=official)
    px, py = x * mask.width, y * mask.height
    return Verdict(official, mask.closeness(px, py), (x, y), "" if mask.contains(px, py) else "outside the mask")


def share_inside(text: str, mask: Mask) -> float:
    """RoboRefer Evaluation/summarize_acc.py, text2pts: mean over all points of every `(…)` with 2 or 4 numbers.

    Two numbers: fractions of width and height if either is written with a dot, pixels if both are integers, truncated.
    Four numbers: fractions always; every pixel of that box is a point. Points outside the image are 0.
    """
    hits = total = 0
    for vector in _VECTOR.findall(text):
        numbers = [float(part) if "." in part else int(part) for part in vector.split(",")]
        if len(numbers) == 2:
            scaled = any(isinstance(number, float) for number in numbers)
            width, height = (mask.width, mask.height) if scaled else (1, 1)
            hits += mask.contains(int(numbers[0] * width), int(numbers[1] * height))
            total += 1
        elif len(numbers) == 4:
            x0, y0, x1, y1 = (int(n * side) for n, side in zip(numbers, (mask.width, mask.height) * 2, strict=True))
            if x1 < x0 or y1 < y0:
                raise ValueError("a box with reversed corners")
            rows, columns = _clip(y0, y1, mask.height), _clip(x0, x1, mask.width)
            hits += int(mask.pixels[rows, columns].sum())
            total += (x1 - x0) * (y1 - y0)
    return hits / total if total else 0.0


def _clip(start: int, end: int, size: int) -> slice:
    return slice(min(max(start, 0), size), min(max(end, 0), size))


def _share_relative(text: str, mask: Mask) -> float:
    """The same for models that answer in 0-1000: mean over all pairs in round or square brackets, truncated."""
    points = [(float(a or c), float(b or d)) for a, b, c, d in _PAIR.findall(text)]
    hits = sum(mask.contains(int(x / 1000 * mask.width), int(y / 1000 * mask.height)) for x, y in points)
    return hits / len(points) if points else 0.0


def read_one_point(answer: str, limit: float) -> tuple[float, float]:
    """The one point of an answer, as fractions: `(x, y)`, `[x, y]`, `{"point_2d": [x, y]}`, or a list of one of them.

    BadJSON for anything else, for several points (the mean would still pay for a grid), and out of 0..limit.
    """
    text = strip_fence(answer)
    if match := _ONE_PAIR.fullmatch(text):
        value: Any = [float(number) for number in match.groups()[1:] if number]
    else:
        value = loads(text)
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if isinstance(value, dict) and set(value) <= {"point_2d", "label"}:
        value = value.get("point_2d")
    if not isinstance(value, list) or len(value) != 2 or not all(map(is_number, value)):
        raise BadJSON("not exactly one point")
    x, y = float(value[0]), float(value[1])
    if not (0 <= x <= limit and 0 <= y <= limit):
        raise BadJSON(f"point {value} is out of 0..{limit:g}")
    return x / limit, y / limit
