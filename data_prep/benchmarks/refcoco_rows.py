"""Rows of RefCOCO, RefCOCO+ and RefCOCOg in every form -> one question per expression.

| form | columns | box |
| --- | --- | --- |
| hub (lmms-lab) | `answer` (all expressions of an object), `bbox` | x, y, width, height in pixels |
| RefCOCO.tsv (harness), all sets | `index`, `category`, `question`, `answer` or `bbox_x1` … | corners, pixels or 0..1 |
| REFER's refs(…).json and instances.json | `sentences`, `split`, `bbox`, joined by `load_refer` | as the hub's |
| OneThinker | `problem`, `answer` with `{"boxes": …}`, `images` | corners, 0..1000 |

The hub's `question` column asks for a caption: it is not used.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

from PIL import Image

from data_prep.benchmarks.columns import column, question_text
from data_prep.fields import as_list, image_list, missing, text
from data_prep.images import read_image
from data_prep.read_text import json_rows
from data_prep.source import Options, Question, SetAside

PROMPT = "Please provide the bounding box coordinate of the region this sentence describes: {}"
"""As in the harness's TSV and in OneThinker's rows, so that the form of a file does not change the question."""
ROUNDING = 0.01
"""COCO's boxes have two decimals: a box that goes this many pixels beyond the image has been rounded, no more."""

_LABEL = re.compile(r"\s*refcoco(?P<set>\+|plus|p|g|)(?:[\s_-]+(?P<split>val|test|test_?a|test_?b|train))?\s*", re.I)
_SPLITS = {"testa": "testA", "testb": "testB"}


@dataclass(frozen=True, kw_only=True)
class Family:
    """One of the three sets."""

    name: str
    """Of its source."""
    splitter: str
    """Whose division REFER's file bears in its name: refs(<splitter>).json."""
    mixed: Mapping[str, str] = field(default_factory=dict)
    """Our splits that are not what the hub has under this name -> our name of what the hub has."""


@dataclass(frozen=True)
class _Region:
    expressions: Sequence[str]
    """As whole questions."""
    image: Any
    box: Sequence[float]
    repaired: str = ""


def questions(raw: Mapping[str, Any], options: Options, family: Family) -> Iterator[Question]:
    """The questions of a row in any form; none if it is of another set or split."""
    read = next((read for mark, read in _READERS.items() if mark in raw), _hub)
    region = read(raw, options, family)
    if region is None:
        return
    for expression in region.expressions:
        yield Question(
            text=expression,
            kind="box",
            ground_truth=list(region.box),
            info={"split": options.split},
            images=[region.image],
            repaired=region.repaired,
        )


def _hub(raw: Mapping[str, Any], options: Options, family: Family) -> _Region:
    if name := family.mixed.get(options.split):
        raise SetAside(
            f"{options.split} of the hub mixes two divisions of the data set and is not the paper's: take RefCOCO.tsv "
            f"or refs({family.splitter}).json, or --split {name} for the hub's as it is"
        )
    image = raw["image"]
    return _Region(_asked(as_list(raw["answer"])), image, *_from_corner(raw["bbox"], *image_size(image)))


def _tsv(raw: Mapping[str, Any], options: Options, family: Family) -> _Region | None:
    if not _wanted(_label(raw), options, family):
        return None
    image = next(iter(image_list(column(raw, "image", "image_path"))), None)
    width, height = (_number(raw.get(name)) for name in ("width", "height"))
    if not (width > 1 and height > 1):
        width, height = image_size(image)
    names = [f"bbox_{side}" for side in ("x1", "y1", "x2", "y2")]
    corners = [_number(raw.get(name)) for name in names]
    if any(map(math.isnan, corners)):
        corners = _four(column(raw, "answer", "bbox"))
    if max(map(abs, corners)) <= 1.5:  # the harness's own test for boxes in 0..1
        corners = [corner * side for corner, side in zip(corners, (width, height) * 2, strict=True)]
    question = re.sub(r"</?ref>", "", question_text(raw, "question"))
    return _Region([question], image, *relative(corners, width, height))


def _refer(raw: Mapping[str, Any], options: Options, family: Family) -> _Region | None:
    if raw["split"] != options.split:
        return None
    if raw["image"] is None:
        raise SetAside("image is not in instances.json", f"image_id {raw['image_id']}")
    expressions = _asked([sentence["sent"] for sentence in raw["sentences"]])
    return _Region(expressions, raw["image"], *_from_corner(raw["bbox"], raw["width"], raw["height"]))


def _onethinker(raw: Mapping[str, Any], options: Options, family: Family) -> _Region | None:
    if _LABEL.fullmatch(said := text(raw.get("data_source"))) and not _wanted(said, options, family):
        return None
    inside = re.sub(r"</?answer>", "", text(raw["answer"]))
    try:
        corners = _four(json.loads(inside)["boxes"])
    except (ValueError, KeyError, TypeError) as error:
        raise SetAside("no box", inside[:80]) from error
    image = next(iter(image_list(column(raw, "images", "image", "path"))), None)
    return _Region([question_text(raw, "problem")], image, *relative(corners, 1000, 1000))


_READERS = {"sentences": _refer, "problem": _onethinker, "index": _tsv}
"""Column that only one form has -> its reader."""


def _label(raw: Mapping[str, Any]) -> str:
    """Set and split of a row of the harness, which has them in one column or in two; KeyError without any."""
    column(raw, "split", "category", "dataset")
    split, category, whole = (text(raw.get(name)) for name in ("split", "category", "dataset"))
    said = (f"{whole} {split}", split, category, whole)
    return next((each for each in said if _LABEL.fullmatch(each)), category or split)


def _wanted(label: str, options: Options, family: Family) -> bool:
    """Whether `RefCOCO+ testA`, `RefCOCO+_testA` or `RefCOCO+` is the set, and the split if it names one."""
    match = _LABEL.fullmatch(label)
    if not match:
        raise SetAside("unknown split", label[:80])
    name = "refcoco" + {"plus": "+", "p": "+"}.get(match["set"].lower(), match["set"].lower())
    split = (match["split"] or options.split).replace("_", "")
    return name == family.name and _SPLITS.get(split.lower(), split) == options.split


def _asked(expressions: Sequence[Any]) -> list[str]:
    found = [PROMPT.format(text(each)) for each in expressions if not missing(each)]
    if not found:
        raise SetAside("no expression")
    return found


def _number(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError):
        return math.nan


def _four(value: Any) -> list[float]:
    corners = [_number(each) for each in as_list(value)]
    if len(corners) != 4 or not all(map(math.isfinite, corners)):
        raise SetAside("no box", str(value)[:80])
    return corners


def _from_corner(box: Any, width: float, height: float) -> tuple[list[float], str]:
    x, y, wide, high = _four(box)
    return relative([x, y, x + wide, y + high], width, height)


def relative(corners: Sequence[float], width: float, height: float) -> tuple[list[float], str]:
    """(corners in 0..1000, what was mended) of corners in pixels.

    Clipped if they go less than one pixel beyond the image. SetAside for more, and for a box without area.
    """
    sides = (width, height) * 2
    beyond = max(max(-corner, corner - side) for corner, side in zip(corners, sides, strict=True))
    if beyond >= 1:
        raise SetAside("box leaves the image", f"{list(corners)} in {width:g} x {height:g}")
    clipped = [min(max(corner, 0.0), side) for corner, side in zip(corners, sides, strict=True)]
    if not (clipped[0] < clipped[2] and clipped[1] < clipped[3]):
        raise SetAside("box has no area", str(list(corners)))
    box = [1000.0 * corner / side for corner, side in zip(clipped, sides, strict=True)]
    return box, "box clipped that went less than a pixel beyond the image" if beyond > ROUNDING else ""


def image_size(image: Any) -> tuple[int, int]:
    """(width, height) from the head of an image in any form; SetAside if it is missing or broken."""
    if isinstance(image, Image.Image):
        return image.size
    try:
        with Image.open(BytesIO(read_image(image)[0])) as opened:
            return opened.size
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise SetAside("image is broken", str(error)) from error


def refer_files(family: Family) -> tuple[str, ...]:
    """Patterns of REFER's files in its data folder or in the set's own."""
    names = [f"refs({family.splitter}){suffix}" for suffix in (".json", ".p")]
    return (*names, *(f"{family.name}/{name}" for name in names))


def load_refer(path: Path, options: Options, family: Family) -> Iterator[Mapping[str, Any]]:
    """Refs of all splits with the box and image of their annotation, from refs(…).json and instances.json beside it.

    ValueError for the pickle that REFER ships: a pickle can run anything when it is loaded.
    """
    found = [path] if path.is_file() else [file for pattern in refer_files(family) for file in path.glob(pattern)]
    refs = next((file for file in found if file.suffix == ".json"), None)
    if refs is None:
        name = f"refs({family.splitter})"
        raise ValueError(
            f"{found[0] if found else path} is a pickle, which can run anything when loaded; if you trust it, turn it "
            f'into {name}.json beside it: python -c "import json, pickle; '
            f"json.dump(pickle.load(open('{name}.p', 'rb'), encoding='latin1'), open('{name}.json', 'w'))\""
        )
    boxes: dict[Any, Any] = {}
    images: dict[Any, Mapping[str, Any]] = {}
    for each in json_rows(refs.with_name("instances.json")):
        if "bbox" in each:
            boxes[each["id"]] = each["bbox"]
        elif "file_name" in each:
            images[each["id"]] = {"image": each["file_name"], "width": each["width"], "height": each["height"]}
    for ref in json_rows(refs):
        # The ref's own file_name has the annotation's number in it; there is no such file.
        place = images.get(ref["image_id"], {"image": None, "width": None, "height": None})
        yield {**ref, "bbox": boxes.get(ref["ann_id"]), **place}


def identify(raw: Mapping[str, Any]) -> Any:
    """With the split, since the harness counts each from the start. KeyError for hub rows: their place has to do."""
    return f"{_label(raw)} {raw['index']}" if "index" in raw else raw["ref_id"]
