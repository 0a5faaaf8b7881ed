"""The images of the shown rows, with the gold answers and the model's drawn over them."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from PIL import Image, ImageChops, ImageFilter

from data_prep import drawing
from data_prep.schema import read_row_image
from reward_fns.box import read_box
from reward_fns.json_bounded import loads
from reward_fns.point import truth_mask
from reward_fns.refcoco import box_limits
from reward_fns.refspatial import point_limit, read_one_point
from verl_ext.report.examples import Example, Shape, clip
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
    wanted = {example.row: example for example in examples}
    for name in files:
        path = next((p for p in (Path(str(name)), run.path / str(name)) if p.is_file()), None)
        if path is None:
            run.notices.append(f"{name} (data.val_files) is not there: its images are left out.")
            continue
        try:
            for name_of_row, row in _rows(path, set(wanted)):
                example = wanted.pop(name_of_row, None)
                try:
                    if example:
                        _add_image(example, row)
                except (ValueError, KeyError, IndexError) as error:
                    run.notices.append(f"The image of {name_of_row} cannot be shown: {error}")
        except (OSError, ValueError, KeyError) as error:
            run.notices.append(f"{path} cannot be read, its images are left out: {error}")


def shapes(example: Example, truth: str, info: Mapping[str, Any]) -> list[Shape]:
    """Gold and answers of a grounding or pointing row in pixels of the shown image; [] for other rows."""
    texts = [("gold", truth)]
    texts += [(answer.when, _in_thousandths(answer.places, info)) for answer in example.answers]
    return [Shape(each.kind, whose, each.at) for whose, text in texts for each in drawing.shapes(text, example.size)]


def _in_thousandths(answer: str, info: Mapping[str, Any]) -> str:
    """An answer in the convention of its row (pixels, fractions) as the one that is drawn; "" if it is not one."""
    try:
        if info.get("box_format", "relative_1000") != "relative_1000":
            limits = box_limits(info)
            box = read_box(loads(answer), limits)
            return json.dumps({"boxes": [1000 * at / limits[side % 2] for side, at in enumerate(box)]})
        if "point_format" in info:
            return json.dumps({"point_2d": [1000 * at for at in read_one_point(answer, point_limit(info))]})
    except ValueError:
        return ""
    return answer


def _rows(path: Path, wanted: set[str]) -> Iterator[tuple[str, dict[str, Any]]]:
    """(name, row) of the wanted rows; opens the images of one row group at a time."""
    file = pq.ParquetFile(path)
    for group in range(file.num_row_groups):
        labels = file.read_row_group(group, columns=["data_source", "extra_info"]).to_pylist()
        names = [f"{row['data_source']}/{(row['extra_info'] or {}).get('index')}" for row in labels]
        if wanted.intersection(names):
            table = file.read_row_group(group)
            for position, name in enumerate(names):
                if name in wanted:
                    yield name, table.slice(position, 1).to_pylist()[0]


def _add_image(example: Example, row: dict[str, Any]) -> None:
    content = row["prompt"][-1]["content"]
    example.question = clip(str(content).replace("<image>", "").strip())
    example.images = len(row["images"] or [])
    if not example.images:
        return
    picture = read_row_image(row)
    picture.thumbnail((MAX_SIDE, MAX_SIDE))
    example.image, example.size = _data_uri(picture), picture.size
    if example.category in POINTED:
        truth = str(row["reward_model"]["ground_truth"])
        example.shapes = shapes(example, truth, json.loads(row["extra_info"].get("info") or "{}"))
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
