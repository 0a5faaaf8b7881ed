"""The images of the shown rows, with the gold answers and the model's drawn over them."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageChops, ImageFilter

from data_prep.schema import read_row_image
from reward_fns.box import read_box, truth_box
from reward_fns.json_bounded import BadJSON, loads
from reward_fns.point import read_point, truth_mask
from verl_ext.report.examples import Example, Shape, clip, number
from verl_ext.report.run import Run

MAX_SIDE = 480
"""pixels"""
MAX_PNG = 60_000
"""bytes; larger ones become JPEG"""
GOLD = (0, 168, 90)
"""as in page.css"""
POINTED = ("grounding", "spatial_reasoning")
"""categories whose answers may be places in the image"""


def add_images(run: Run, examples: list[Example]) -> None:
    """Fill in questions and images from the parquet files that config.yaml names; a notice says what cannot be had."""
    files = run.setting("data", "val_files")
    files = [files] if isinstance(files, str) else files if isinstance(files, list) else []
    wanted = {number(example.row)[0]: example for example in examples}
    for name in files:
        path = next((p for p in (Path(str(name)), run.path / str(name)) if p.is_file()), None)
        if path is None:
            run.notices.append(f"{name} (data.val_files) is not there: its images are left out.")
            continue
        try:
            for index, row in _rows(path, set(wanted)):
                example = wanted.pop(index, None)
                try:
                    if example:
                        _add_image(example, row)
                except (ValueError, KeyError, IndexError) as error:
                    run.notices.append(f"The image of val/{index} cannot be shown: {error}")
        except (OSError, ValueError, KeyError) as error:
            run.notices.append(f"{path} cannot be read, its images are left out: {error}")


def shapes(example: Example, truth: str) -> list[Shape]:
    """Gold and answers of a grounding or pointing row, 0-1000 to pixels of the shown image; [] for other rows."""
    width, height = example.size

    def box(whose: str, corners: Iterable[float]) -> Shape:
        x1, y1, x2, y2 = corners
        across, down = width / 1000, height / 1000
        return Shape("box", whose, (x1 * across, y1 * down, (x2 - x1) * across, (y2 - y1) * down))

    found = []
    try:
        found.append(box("gold", truth_box(truth)))
    except ValueError:
        if not truth.lstrip().startswith("{"):
            return []
    for answer in example.answers:
        try:
            value = loads(answer.answer)
            if isinstance(value, dict) and "point_2d" in value:
                x, y = read_point(value)
                found.append(Shape("point", answer.when, (x * width / 1000, y * height / 1000)))
            else:
                found.append(box(answer.when, read_box(value)))
        except BadJSON:
            continue
    return found


def _rows(path: Path, wanted: set[int]) -> Iterator[tuple[int, dict[str, Any]]]:
    """(index, row) of the wanted rows; opens the images of one row group at a time."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        extra = file.read_row_group(group, columns=["extra_info"]).column("extra_info").to_pylist()
        at = {position: each["index"] for position, each in enumerate(extra) if each and each.get("index") in wanted}
        if at:
            table = file.read_row_group(group)
            for position, index in at.items():
                yield index, table.slice(position, 1).to_pylist()[0]


def _add_image(example: Example, row: dict[str, Any]) -> None:
    content = row["prompt"][-1]["content"]
    example.question = clip(str(content).replace("<image>", "").strip())
    if not row["images"]:
        return
    picture = read_row_image(row)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    example.image, example.size = _data_uri(picture), picture.size
    if example.category in POINTED:
        truth = str(row["reward_model"]["ground_truth"])
        example.shapes = shapes(example, truth)
        example.outline = _outline(truth, example.size)


def _outline(truth: str, size: tuple[int, int]) -> str | None:
    """The gold region's edge, two pixels wide, on a transparent image; None for a truth that is no mask."""
    try:
        mask = truth_mask(truth)
    except (ValueError, TypeError):
        return None
    region = Image.fromarray(mask.pixels.astype(np.uint8) * 255).resize(size, Image.Resampling.NEAREST)
    overlay = Image.new("RGBA", size, GOLD)
    overlay.putalpha(ImageChops.subtract(region, region.filter(ImageFilter.MinFilter(5))))
    return _data_uri(overlay)


def _data_uri(picture: Image.Image) -> str:
    """PNG, or JPEG where that would be large."""
    out, kind = io.BytesIO(), "png"
    picture.save(out, "PNG", optimize=True)
    if out.tell() > MAX_PNG and picture.mode == "RGB":
        out, kind = io.BytesIO(), "jpeg"
        picture.save(out, "JPEG", quality=82)
    return f"data:image/{kind};base64,{base64.b64encode(out.getvalue()).decode()}"
