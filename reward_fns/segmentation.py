"""OneThinker's segmentation type: a box, three points inside and three outside, for videos at one time."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from . import published_json as published
from .box import check_box, iou
from .grounding import Answer, BoxReader, keys, read_truth, seconds, truth_object, well_formed
from .json_bounded import BadJSON, is_number, loads
from .verdict import Verdict

POINTS = ("positive_points", "negative_points")
SPREAD = 0.5
TIME_SCALE = 2.0


def verify_segmentation(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: image 0.5 IoU + 0.25 + 0.25 for the points; video 0.3 IoU + 0.3 exp(-|dt| / 2) + 0.2 + 0.2.

    Reward: the same weights; repeated points lose, see `spread_similarity`. The truth itself scores 1 in both.
    """
    truth, gold, video = _truth(ground_truth, info)
    official = _official(published.read_object(answer), truth, video)
    read = _read_video if video else _read_image
    try:
        given = read(loads(answer))
    except BadJSON as error:
        return Verdict(official, 0.0, None, str(error))
    points = [spread_similarity(given[name], gold[name]) for name in POINTS]
    reward = _weigh(iou(given["boxes"], gold["boxes"]), points, _time_part(given, gold) if video else None)
    reward = 1.0 if given == gold else reward
    return Verdict(official, reward, given, "" if reward == 1 else f"similarity {reward:.3f}")


def segmentation_structure(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> float:
    """1 for the JSON that the row's kind of data asks for."""
    return well_formed(_read_video if _truth(ground_truth, info)[2] else _read_image, answer)


def _truth(ground_truth: Any, info: Mapping[str, Any]) -> tuple[Answer, Answer, bool]:
    """The truth as it stands, as the reward reads it, and whether it is of a video."""
    text = ground_truth if isinstance(ground_truth, str) else json.dumps(ground_truth)
    return _read(text, str(info.get("data_type") or "").lower())


@lru_cache(maxsize=256)
def _read(text: str, kind: str) -> tuple[Answer, Answer, bool]:
    """Kept, as all responses to a prompt share their truth. Nothing may change what it returns."""
    truth = truth_object(text)
    kind = kind or ("video" if "time" in truth else "image")
    if kind not in ("image", "video"):
        raise ValueError(f"data_type must be image or video, got {kind!r}")
    return truth, read_truth(_read_video if kind == "video" else _read_image, truth), kind == "video"


def spread_similarity(given: Sequence[Sequence[float]], gold: Sequence[Sequence[float]]) -> float:
    """The published similarity, times how far apart the nearest two points are: full from half the gold's distance.

    Without that factor one point three times over scores 0.96.
    """
    similarity = published.triple_similarity([*map(list, given)], [*map(list, gold)]) or 0.0
    wanted = SPREAD * _nearest_pair(gold)
    return similarity * min(1.0, _nearest_pair(given) / wanted) if wanted else similarity


def _nearest_pair(points: Sequence[Sequence[float]]) -> float:
    return min(math.dist(p, q) for p, q in itertools.combinations(points, 2))


def _weigh(box: float, points: list[float], time: float | None) -> float:
    if time is None:
        return 0.5 * box + 0.25 * sum(points)
    return 0.3 * box + 0.3 * time + 0.2 * sum(points)


def _official(given: Answer, truth: Answer, video: bool) -> float:
    try:
        return 1.0 if given == truth else _published(given, truth, video)
    except OverflowError:
        return 0.0  # numbers that no float holds: an exception is 0 in the source


def _published(given: Answer, truth: Answer, video: bool) -> float:
    points = [published.triple_similarity(given.get(name), truth.get(name)) for name in POINTS]
    if None in points:
        return 0.0
    time = None
    if video:
        # `true` passes as 1, as in the source: bool is an int.
        if not isinstance(given.get("time"), int | float) or not isinstance(truth.get("time"), int | float):
            return 0.0
        time = _time_part(given, truth)
    box = published.box_iou(given.get("boxes"), truth.get("boxes"))
    return _weigh(box, [point or 0.0 for point in points], time)


def _time_part(given: Answer, truth: Answer) -> float:
    gap = abs(float(given["time"]) - float(truth["time"]))
    return math.exp(-gap / TIME_SCALE) if math.isfinite(gap) else 0.0


def _read_image(value: Any, box: BoxReader = check_box) -> Answer:
    value = keys(value, "boxes", *POINTS)
    return {"boxes": box(value["boxes"]), **{name: _triple(value[name]) for name in POINTS}}


def _read_video(value: Any, box: BoxReader = check_box) -> Answer:
    value = keys(value, "time", "boxes", *POINTS)
    return {"time": seconds(value["time"]), **_read_image({key: value[key] for key in value if key != "time"}, box)}


def _triple(value: Any) -> list[tuple[float, float]]:
    if not isinstance(value, list) or len(value) != 3:
        raise BadJSON("not three points")
    for point in value:
        if not (isinstance(point, list) and len(point) == 2 and all(is_number(n) and 0 <= n <= 1000 for n in point)):
            raise BadJSON("a point is two numbers from 0 to 1000")
    return [(float(x), float(y)) for x, y in value]
