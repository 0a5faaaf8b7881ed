"""OneThinker's lenient reading of JSON answers: the official figures of its grounding types, quirks kept.

Source: EasyR1/verl/reward_function/onethinker_reward.py. Whatever does not parse is 0; texts and bools pass as numbers;
of duplicate keys the last wins; coordinates are not checked.
"""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from typing import Any

from .json_bounded import nested_over

SIGMA = 50.0
_ORDERS = tuple(itertools.permutations(range(3)))


def read_object(text: str) -> dict[str, Any]:
    """The JSON object of a text, {} for anything else. No fence is stripped."""
    if nested_over(text, 200):
        return {}
    try:
        value = json.loads(text)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}


def floats(value: Any, length: int) -> list[float] | None:
    """`value` as floats if it is a list of `length` things that `float` takes."""
    if not isinstance(value, list) or len(value) != length:
        return None
    try:
        return [float(item) for item in value]
    except (TypeError, ValueError, OverflowError):
        return None


def span_iou(given: Any, gold: Any) -> float:
    """IoU of two [start, end]; 0 for reversed spans, and for two equal spans without extent."""
    left, right = floats(given, 2), floats(gold, 2)
    if left is None or right is None:
        return 0.0
    shared = max(0.0, min(left[1], right[1]) - max(left[0], right[0]))
    whole = max(left[1], right[1]) - min(left[0], right[0])
    return shared / whole if whole > 1e-12 else 0.0


def box_iou(given: Any, gold: Any) -> float:
    """IoU of two boxes; 0 for reversed ones."""
    left, right = floats(given, 4), floats(gold, 4)
    if left is None or right is None:
        return 0.0
    width = max(0.0, min(left[2], right[2]) - max(left[0], right[0]))
    height = max(0.0, min(left[3], right[3]) - max(left[1], right[1]))
    areas = [max(0.0, box[2] - box[0]) * max(0.0, box[3] - box[1]) for box in (left, right)]
    union = sum(areas) - width * height
    return _finite(width * height / union) if union > 1e-12 else 0.0


def frames_iou(given: Any, gold: Mapping[str, Any], *, common_only: bool) -> float:
    """Mean box IoU over the gold frames, missing ones 0; `common_only`: over the frames that both name."""
    if not isinstance(given, dict):
        return 0.0
    frames = [frame for frame in gold if frame in given] if common_only else list(gold)
    return sum(box_iou(given.get(frame), gold[frame]) for frame in frames) / len(frames) if frames else 0.0


def triple_similarity(given: Any, gold: Any) -> float | None:
    """exp(-d^2 / (2 * 50^2)) for d the mean distance of the best matching of 3 points to 3; None unless 3 and 3."""
    left, right = _points(given), _points(gold)
    if left is None or right is None:
        return None
    distance = best_distance(left, right)
    return math.exp(-(distance**2) / (2 * SIGMA**2)) if math.isfinite(distance) else 0.0


def best_distance(left: Sequence[Sequence[float]], right: Sequence[Sequence[float]]) -> float:
    """Mean distance of the cheapest one-to-one matching of two triples (six orders: no solver needed)."""
    table = [[math.dist(p, q) for q in right] for p in left]
    return min(table[i][0] + table[j][1] + table[k][2] for i, j, k in _ORDERS) / 3


def _points(value: Any) -> list[list[float]] | None:
    if not isinstance(value, list) or len(value) != 3:
        return None
    points = [point for point in (floats(item, 2) for item in value) if point is not None]
    return points if len(points) == 3 else None


def _finite(value: float) -> float:
    return value if math.isfinite(value) else 0.0
