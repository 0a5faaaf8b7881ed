"""Images of a row as a page shows them, with the places of its ground truth drawn over the first."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeGuard

from PIL import Image

from data_prep.schema import read_row_image
from reward_fns.point import truth_mask

MAX_SIDE = 640
"""pixels of a shown image"""
MAX_IMAGES = 8
MAX_PNG = 60_000
"""bytes; larger ones become JPEG"""
MASK_COLOUR = (0, 168, 90)


@dataclass(frozen=True)
class Shape:
    """Something drawn, in pixels of the shown image."""

    kind: str
    """box, point, outside (a point that must not be covered) or polygon"""
    at: tuple[float, ...]
    """box: x, y, width, height; point: x, y; polygon: x1, y1, x2, y2, …"""
    label: str = ""

    @property
    def points(self) -> str:
        """A polygon's corners as SVG has them."""
        return " ".join(f"{x:.1f},{y:.1f}" for x, y in zip(self.at[::2], self.at[1::2], strict=True))


@dataclass
class Picture:
    """One image of a row."""

    uri: str
    size: tuple[int, int]
    """as shown"""
    original: tuple[int, int]
    shapes: list[Shape] = field(default_factory=list)
    mask: str | None = None
    """data URI of a transparent overlay"""


def pictures(row: Mapping[str, Any]) -> tuple[list[Picture], list[str]]:
    """The first images of a row, and what could not be shown."""
    found, problems = [], []
    images = row["images"] or []
    for position in range(min(len(images), MAX_IMAGES)):
        try:
            image = read_row_image(row, position)
        except ValueError as error:
            problems.append(str(error))
            continue
        original = image.size
        image.thumbnail((MAX_SIDE, MAX_SIDE))
        found.append(Picture(_data_uri(image), image.size, original))
    if len(images) > MAX_IMAGES:
        problems.append(f"{len(images) - MAX_IMAGES} more images")
    if found:
        truth = row["reward_model"]["ground_truth"]
        found[0].shapes = list(shapes(truth, found[0].size))
        found[0].mask = mask_overlay(truth, found[0].size)
    return found, problems


def shapes(truth: str, size: tuple[int, int]) -> Iterator[Shape]:
    """Boxes and points (0-1000) and polygons (0-1) in a ground truth; nothing for any other truth."""
    try:
        value = json.loads(truth) if truth[:1] in ("[", "{") else None
    except (ValueError, RecursionError):
        return
    if isinstance(value, list):
        if _numbers(value, 4):
            yield _box(value, size)
        elif len(value) > 2 and all(_numbers(corner, 2) for corner in value):
            yield Shape("polygon", tuple(n * side for corner in value for n, side in zip(corner, size, strict=True)))
    elif isinstance(value, dict):
        boxes = value.get("boxes")
        for label, box in boxes.items() if isinstance(boxes, dict) else [("", boxes)]:
            if _numbers(box, 4):
                yield _box(box, size, str(label))
        for name, kind in (("point_2d", "point"), ("positive_points", "point"), ("negative_points", "outside")):
            found = value.get(name)
            for point in [found] if name == "point_2d" else found if isinstance(found, list) else []:
                if _numbers(point, 2):
                    yield Shape(kind, _scaled(point, size))


def _box(box: Iterable[float], size: tuple[int, int], label: str = "") -> Shape:
    x1, y1, x2, y2 = _scaled(box, size)
    left, top = min(x1, x2), min(y1, y2)
    return Shape("box", (left, top, abs(x2 - x1), abs(y2 - y1)), label)


def _scaled(numbers: Iterable[float], size: tuple[int, int]) -> tuple[float, ...]:
    return tuple(number * size[at % 2] / 1000 for at, number in enumerate(numbers))


def _numbers(value: Any, length: int) -> TypeGuard[list[float]]:
    return (
        isinstance(value, list)
        and len(value) == length
        and all(isinstance(each, int | float) and not isinstance(each, bool) and abs(each) < 1e6 for each in value)
    )


def mask_overlay(truth: str, size: tuple[int, int]) -> str | None:
    """The region of a run-length mask, half transparent; None for a truth that is none."""
    import numpy as np

    if '"counts"' not in truth:
        return None
    try:
        pixels = truth_mask(truth).pixels
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    region = Image.fromarray(pixels.astype(np.uint8) * 128).resize(size, Image.Resampling.NEAREST)
    overlay = Image.new("RGBA", size, MASK_COLOUR)
    overlay.putalpha(region)
    return _data_uri(overlay)


def _data_uri(picture: Image.Image) -> str:
    """PNG, or JPEG where that would be large."""
    out, kind = io.BytesIO(), "png"
    picture.save(out, "PNG")
    if out.tell() > MAX_PNG and picture.mode == "RGB":
        out, kind = io.BytesIO(), "jpeg"
        picture.save(out, "JPEG", quality=82)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
