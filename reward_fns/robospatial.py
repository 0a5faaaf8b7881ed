"""RoboSpatial-Home: yes/no questions, and points in a polygon of free space."""

from __future__ import annotations

import ast
import math
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from .json_bounded import BadJSON
from .normalize import plain
from .point import NEAR, SCALE
from .refspatial import point_limit, read_one_point
from .verdict import Verdict, wrong

Polygon = tuple[tuple[float, float], ...]

_DECIMAL = r"\d++(?:\.\d*+)?+"
_TUPLE = re.compile(rf"\(\s*+({_DECIMAL})\s*+,\s*+({_DECIMAL})\s*+\)")
_LIST = re.compile(rf"\[\s*+({_DECIMAL})\s*+,\s*+({_DECIMAL})\s*+\]")
_NUMBERS_ONLY = re.compile(r"[0-9eE+\-._,()\[\s]*")
MAX_LITERAL_CHARS = 1_000


def verify_robospatial(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: evaluation.py of RoboSpatial-Eval. Reward: exactly "yes" or "no"; exactly one point, by distance."""
    truth = str(ground_truth).strip().lower()
    if truth in ("yes", "no"):
        # Their test is a prefix: "yesterday" and "north" pass.
        official = float(answer.strip().lower().startswith(truth))
        right = plain(answer) == truth
        return Verdict(official, float(right), plain(answer)[:20], "" if right else f"not {truth}")
    polygon, limit = truth_polygon(ground_truth), point_limit(info)
    official = 0.0
    if (found := first_point(answer)) is not None:
        official = float(inside(found[0] / limit, found[1] / limit, polygon))
    try:
        x, y = read_one_point(answer, limit)
    except BadJSON as error:
        return wrong(str(error), official=official)
    if inside(x, y, polygon):
        return Verdict(official, 1.0, (x, y))
    near = NEAR * math.exp(-((_distance(x, y, polygon) / (SCALE * math.sqrt(2))) ** 2))
    return Verdict(official, near, (x, y), "outside the polygon")


def truth_polygon(ground_truth: Any) -> Polygon:
    """The polygon of a row, [x, y] in 0..1; ValueError unless it has three corners."""
    try:
        # The data set writes its points as tuples, in a text that is no JSON.
        value = ast.literal_eval(ground_truth) if isinstance(ground_truth, str) else ground_truth
        polygon = tuple((float(x), float(y)) for x, y in value)
    except (TypeError, ValueError, SyntaxError) as error:
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r} is no polygon: {error}") from error
    if len(polygon) < 3:
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r} has fewer than three corners")
    return polygon


def inside(x: float, y: float, polygon: Polygon) -> bool:
    """Ray casting as the source does it: the lower edges belong to the polygon, the upper ones do not."""
    crossed = False
    for (xi, yi), (xj, yj) in zip(polygon, (polygon[-1], *polygon[:-1]), strict=True):
        if (yi > y) != (yj > y) and x < (xj - xi) * (y - yi) / (yj - yi) + xi:
            crossed = not crossed
    return crossed


def first_point(text: str) -> tuple[float, float] | None:
    """The first `(x, y)` of plain decimals, else the first `[x, y]`, else the first point in the first list literal."""
    for pattern in (_TUPLE, _LIST):
        if match := pattern.search(text):
            return float(match[1]), float(match[2])
    start = text.find("[")
    end = text.find("]", start)
    inner = text[start + 1 : end].strip().removesuffix(",")
    if start < 0 or end < 0 or len(inner) > MAX_LITERAL_CHARS or not _NUMBERS_ONLY.fullmatch(inner):
        return None
    try:
        value = ast.literal_eval(f"[{inner}]")
        point = value if len(value) == 2 and all(isinstance(v, int | float) for v in value) else value[0]
        x, y = point if isinstance(point, list | tuple) else ()
        return float(x), float(y)
    except (ValueError, SyntaxError, IndexError, TypeError, RecursionError, MemoryError, OverflowError):
        return None


def _distance(x: float, y: float, polygon: Polygon) -> float:
    from shapely import Point

    return float(_ring(polygon).distance(Point(x, y)))


@lru_cache(maxsize=256)
def _ring(polygon: Polygon) -> Any:
    from shapely import LinearRing

    return LinearRing(polygon)
