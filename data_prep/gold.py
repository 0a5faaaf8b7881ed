"""The gold answer of a row, as a model would have to write it: a response that must score 1."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from reward_fns.mathvision import clean_gold
from reward_fns.mmmu import accepted
from reward_fns.point import truth_mask
from reward_fns.refcoco import box_limits
from reward_fns.refspatial import point_limit
from reward_fns.registry import Task, resolve_task
from reward_fns.robospatial import truth_polygon
from reward_fns.text import references


def gold_response(row: Mapping[str, Any]) -> str:
    """A well-formed response with `gold_answer` in it; ValueError for an unknown task or a truth that does not fit."""
    return f"<thinking>gold</thinking><answer>{gold_answer(row)}</answer>"


def gold_answer(row: Mapping[str, Any]) -> str:
    """The ground truth in the row's answer format: a letter for a choice, a point for a mask, a box in its unit."""
    extra = row["extra_info"]
    task = resolve_task(row["data_source"], extra)
    info = json.loads(extra["info"]) if isinstance(extra["info"], str) else extra["info"]
    truth = row["reward_model"]["ground_truth"]
    return _in_format(task, str(truth).strip() if isinstance(truth, str) else json.dumps(truth), info)


def _in_format(task: Task, truth: str, info: Mapping[str, Any]) -> str:
    if task.name in ("refcoco", "refcoco+", "refcocog", "shape_box", "digit_box"):
        return _box(json.loads(truth), info if task.name.startswith("refcoco") else {})
    if task.name in ("point_to", "refspatial"):
        return _point(_point_in_mask(truth), 1000.0 if task.name == "point_to" else point_limit(info))
    if task.name == "robospatial" and truth.lower() not in ("yes", "no"):
        return _point(_point_in_polygon(truth_polygon(truth)), point_limit(info))
    if task.name == "mathvista" and info.get("question_type") == "multi_choice":
        choices = info.get("choices") or []
        texts = list(choices.values() if isinstance(choices, Mapping) else choices)
        return "ABCDEFGHIJKLMNOPQRSTUVWXYZ"[texts.index(truth)] if truth in texts[:26] else truth
    if task.name == "mathvision" and not info.get("choices"):
        return clean_gold(truth).removeprefix("$").removesuffix("$")
    if task.name == "mmmu" and info.get("question_type") in ("open", "short-answer"):
        return _first(accepted(truth))
    if task.name in ("docvqa", "infovqa", "ocrbench", "shape_color", "field_read", "receipt_total"):
        return _first(references(truth))
    return truth


def _first(accepted: Sequence[str]) -> str:
    return next((text for text in accepted if text.strip()), "")


def _box(value: Any, info: Mapping[str, Any]) -> str:
    corners = value["boxes"] if isinstance(value, dict) else value
    limits = [*box_limits(info)] * 2
    # min: 1000 times a limit over 1000 may land a rounding error beyond it.
    scaled = [min(corner * limit / 1000, limit) for corner, limit in zip(corners, limits, strict=True)]
    return json.dumps({"boxes": scaled})


def _point(place: Sequence[float], limit: float) -> str:
    """`place` as fractions, with decimals: the authors' parsers take whole numbers for pixels."""
    x, y = (f"{each * limit:.7f}" for each in place)
    return f"[({x}, {y})]" if limit == 1 else f'{{"point_2d": [{x}, {y}]}}'


def _point_in_mask(truth: str) -> tuple[float, float]:
    """The middle of the set pixel nearest to the middle of all set pixels."""
    import numpy as np

    mask = truth_mask(truth)
    rows, columns = np.nonzero(mask.pixels)
    nearest = int(((rows - rows.mean()) ** 2 + (columns - columns.mean()) ** 2).argmin())
    return float(columns[nearest] + 0.5) / mask.width, float(rows[nearest] + 0.5) / mask.height


def _point_in_polygon(polygon: Sequence[tuple[float, float]]) -> tuple[float, float]:
    from shapely import Polygon

    point = Polygon(polygon).representative_point()
    return float(point.x), float(point.y)
