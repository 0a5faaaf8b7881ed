"""RefSpatial-Bench: point to an object, or to a free place, that a sentence describes in several steps.

A row of the hub (the expanded version has `scene` beside):

    {"id": 0, "image": <image>, "mask": <image, not 0 at the target>, "object": "the cup behind the left bowl",
     "prompt": "Please point out the cup behind the left bowl.", "suffix": "Your answer should be …", "step": 2}

The authors' raw files are Location/question.json and so on, with the paths in `rgb_path` and `mask_path`. The harness's
TSVs have base64 images, the split in `split` or `category`, and base64 masks, or paths of the authors' (then the TSV
must lie in the folder that these start from).

The suffix asks for a list of tuples in 0..1 and is left out: the answer instruction of the convention stands instead.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from io import BytesIO
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from data_prep.benchmarks.columns import column, question_text
from data_prep.fields import image_list, text, whole
from data_prep.images import read_image
from data_prep.read_text import json_rows, tsv_rows
from data_prep.source import Hub, Options, Question, SetAside, Source

FILES = ("*/question.json", "question.json", "RefSpatial*.tsv")


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    if _split(raw, options) != options.split:
        return
    yield Question(
        text=without_format(question_text(raw, "prompt", "question")),
        kind="point",
        ground_truth=run_length(next(iter(image_list(column(raw, "mask", "mask_path"))), None)),
        info={"split": options.split, "step": whole(raw.get("step"))},
        images=image_list(column(raw, "image", "rgb_path", "image_path")),
    )


def without_format(question: str) -> str:
    """The question without the authors' request for a list of tuples, or the harness's for JSON."""
    for start in ("Your answer should be formatted as", "Output the point coordinates in JSON"):
        question = question.partition(start)[0]
    return question.strip()


def _split(raw: Mapping[str, Any], options: Options) -> str:
    """A hub row does not say; `category` is the split in the TSV alone (in the authors' files it is another thing)."""
    return text(raw.get("split") or (raw.get("category") if "index" in raw else None) or options.split).lower()


def run_length(mask: Any) -> dict[str, Any]:
    """A mask image as COCO run-length object with `counts` as text; the first channel counts, as in the authors' code.

    SetAside for one that is missing, broken or empty.
    """
    from pycocotools import mask as coco

    try:
        data, _ = read_image(mask)
        with Image.open(BytesIO(data)) as image:
            pixels = np.asarray(image)
    except SetAside as error:
        raise SetAside(error.reason.replace("image", "mask"), error.detail) from error
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SetAside("mask is broken", str(error)) from error
    target = (pixels if pixels.ndim == 2 else pixels[:, :, 0]) != 0
    if not target.any():
        raise SetAside("mask is empty")
    coded = coco.encode(np.asfortranarray(target.astype(np.uint8)))
    return {"size": [int(side) for side in coded["size"]], "counts": coded["counts"].decode("ascii")}


def load(path: Path, options: Options) -> Iterator[Mapping[str, Any]]:
    """The rows of <Split>/question.json, else of a TSV, a file or inside a folder, paths made whole.

    ValueError if neither is there.
    """
    files = [path] if path.is_file() else [file for pattern in FILES for file in sorted(path.glob(pattern))]
    for file in files:
        if file.suffix == ".json" and file.absolute().parent.name.lower() == options.split:
            yield from ({**_whole(row, file.parent), "split": options.split} for row in json_rows(file))
            return
    tables = [file for file in files if file.suffix == ".tsv"]
    tables = [file for file in tables if file.stem.lower().endswith(f"_{options.split}")] or tables
    if not tables:
        raise ValueError(f"{path} holds no {options.split.capitalize()}/question.json: choose another --split")
    yield from (_whole(row, tables[0].parent) for row in tsv_rows(tables[0]))


def _whole(row: Mapping[str, Any], folder: Path) -> dict[str, Any]:
    places = {name: next(iter(image_list(row.get(name))), None) for name in ("rgb_path", "mask_path")}
    return {**row, **{name: str(folder / place) for name, place in places.items() if place}}


SOURCE = Source(
    name="refspatial",
    title="point to what a sentence describes in several steps (RefSpatial-Bench)",
    task="refspatial",
    splits=("location", "placement", "unseen"),
    convert=convert,
    hub=(
        Hub(id="BAAI/RefSpatial-Bench", variant="bench"),
        Hub(id="JingkunAn/RefSpatial-Expand-Bench", variant="expand"),
    ),
    tsv=("RefSpatial", "RefSpatial_wo_unseen", "RefSpatial_Location", "RefSpatial_Placement", "RefSpatial_Unseen"),
    files=FILES,
    identify=lambda raw: column(raw, "index", "id"),
    variants=("bench", "expand"),
    rows={"location": 100, "placement": 100, "unseen": 77},
    load=load,
)
