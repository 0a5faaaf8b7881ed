"""OneThinker's grounding types: spans in time, boxes, boxes over time, and prompts for a segmenter.

Official is its reward's rule (`published_json`); the reward reads JSON strictly (`json_bounded`) and closes what that
rule leaves open: frames beyond the gold cost, repeated points do not count, bools and texts are no numbers.
The truth itself scores 1 in both.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from typing import Any

from . import published_json as published
from .box import Box, check_box, iou
from .json_bounded import BadJSON, is_number, loads
from .verdict import Verdict

Verifier = Callable[[str, Any, Mapping[str, Any]], Verdict]
Answer = dict[str, Any]
BoxReader = Callable[[Any], Box]

MAX_SECONDS = 1e6
_FRAME = re.compile(r"[0-9]{1,6}(?:\.[0-9]{1,6})?")


def _grounding(
    read: Callable[..., Answer],
    official: Callable[[Answer, Answer], float],
    reward: Callable[[Answer, Answer], float],
) -> Verifier:
    def verify(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
        truth = truth_object(ground_truth)
        gold, lenient = read_truth(read, truth), published.read_object(answer)
        figure = 1.0 if lenient == truth else min(1.0, max(0.0, official(lenient, truth)))
        try:
            given = read(loads(answer))
        except BadJSON as error:
            return Verdict(figure, 0.0, None, str(error))
        if given == gold:
            return Verdict(figure, 1.0, given)
        found = reward(given, gold)
        return Verdict(figure, found, given, f"overlap {found:.3f}")

    return verify


def read_truth(read: Callable[..., Answer], truth: Answer) -> Answer:
    """The truth as `read` understands it, boxes unchecked: those of the data may be empty or stick out a little."""
    try:
        return read(truth, _any_box)
    except BadJSON as error:
        raise ValueError(f"ground_truth {str(truth)[:80]}: {error}") from error


def _any_box(value: Any) -> Box:
    corners = published.floats(value, 4)
    if corners is None:
        raise BadJSON("a box is four numbers")
    return corners[0], corners[1], corners[2], corners[3]


def truth_object(ground_truth: Any) -> Answer:
    """The truth of a row as an object; ValueError otherwise."""
    value = json.loads(ground_truth) if isinstance(ground_truth, str) else ground_truth
    if not isinstance(value, dict):
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r} is no JSON object")
    return value


def keys(value: Any, *names: str) -> Answer:
    """`value` if it is an object with exactly these keys; BadJSON otherwise."""
    if not isinstance(value, dict) or set(value) != set(names):
        raise BadJSON(f"not an object with the keys {', '.join(names)}")
    return value


def seconds(value: Any) -> float:
    """A time; BadJSON unless it is a number from 0."""
    if not is_number(value) or not 0 <= value <= MAX_SECONDS:
        raise BadJSON("a time is a number of seconds")
    return float(value)


def span(value: Any) -> tuple[float, float]:
    """A span of time; BadJSON unless it is two times in order."""
    if not isinstance(value, list) or len(value) != 2:
        raise BadJSON("a span is two times")
    start, end = map(seconds, value)
    if start > end:
        raise BadJSON("the span is reversed")
    return start, end


def frames(value: Any, box: BoxReader) -> dict[float, Box]:
    """Boxes by time, "2" and "2.0" alike; BadJSON unless all keys are distinct times and all values boxes."""
    if not isinstance(value, dict) or not value:
        raise BadJSON("boxes is no object of frames")
    if not all(_FRAME.fullmatch(key) for key in value):
        raise BadJSON("a frame is a number of seconds")
    found = {float(key): box(corners) for key, corners in value.items()}
    if len(found) != len(value):
        raise BadJSON("frames repeat")
    return found


def span_overlap(left: tuple[float, float], right: tuple[float, float]) -> float:
    """IoU of two spans; 1 for the same instant."""
    whole = max(left[1], right[1]) - min(left[0], right[0])
    return max(0.0, min(left[1], right[1]) - max(left[0], right[0])) / whole if whole else float(left == right)


def frames_overlap(given: Mapping[float, Any], gold: Mapping[float, Any]) -> float:
    """Mean box IoU over the frames that either side names: a frame too few or too many is 0."""
    return sum(iou(given[at], gold[at]) for at in gold if at in given) / len(gold.keys() | given.keys())


def _read_temporal(value: Any, box: BoxReader = check_box) -> Answer:
    return {"time": span(keys(value, "time")["time"])}


def _read_spatial(value: Any, box: BoxReader = check_box) -> Answer:
    return {"boxes": box(keys(value, "boxes")["boxes"])}


def _read_spatial_temporal(value: Any, box: BoxReader = check_box) -> Answer:
    value = keys(value, "time", "boxes")
    return {"time": span(value["time"]), "boxes": frames(value["boxes"], box)}


def _read_tracking(value: Any, box: BoxReader = check_box) -> Answer:
    return {"boxes": frames(keys(value, "boxes")["boxes"], box)}


def _published_spatial_temporal(given: Answer, gold: Answer) -> float:
    boxes = published.frames_iou(given.get("boxes"), gold.get("boxes") or {}, common_only=True)
    return 0.5 * published.span_iou(given.get("time"), gold.get("time")) + 0.5 * boxes


def _reward_box(given: Answer, gold: Answer) -> float:
    overlap = iou(given["boxes"], gold["boxes"])
    return 0.8 * overlap + 0.2 * (overlap >= 0.5)


verify_temporal = _grounding(
    _read_temporal,
    lambda given, gold: published.span_iou(given.get("time"), gold.get("time")),
    lambda given, gold: span_overlap(given["time"], gold["time"]),
)
verify_spatial = _grounding(
    _read_spatial, lambda given, gold: published.box_iou(given.get("boxes"), gold.get("boxes")), _reward_box
)
verify_spatial_temporal = _grounding(
    _read_spatial_temporal,
    _published_spatial_temporal,
    lambda given, gold: (
        0.5 * span_overlap(given["time"], gold["time"]) + 0.5 * frames_overlap(given["boxes"], gold["boxes"])
    ),
)
verify_tracking = _grounding(
    _read_tracking,
    lambda given, gold: published.frames_iou(given.get("boxes"), gold.get("boxes") or {}, common_only=False),
    lambda given, gold: frames_overlap(given["boxes"], gold["boxes"]),
)


def temporal_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """1 for {"time": [start, end]}."""
    return well_formed(_read_temporal, answer)


def spatial_temporal_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """0.5 for the JSON, 0.5 * (shared frames / frames of either side)."""
    return _frames_structure(_read_spatial_temporal, answer, ground_truth)


def tracking_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """0.5 for the JSON, 0.5 * (shared frames / frames of either side)."""
    return _frames_structure(_read_tracking, answer, ground_truth)


def well_formed(read: Callable[..., Answer], answer: str) -> float:
    """1 if `read` accepts the answer, else 0."""
    try:
        read(loads(answer))
    except BadJSON:
        return 0.0
    return 1.0


def _frames_structure(read: Callable[..., Answer], answer: str, ground_truth: Any) -> float:
    try:
        given = read(loads(answer))["boxes"]
    except BadJSON:
        return 0.0
    gold = read_truth(read, truth_object(ground_truth))["boxes"]
    return 0.5 + 0.5 * len(given.keys() & gold.keys()) / len(given.keys() | gold.keys())
