"""The one row schema: what every prepared parquet file holds, in the form that verl's dataset class reads."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
from PIL import Image

from reward_fns.settings import CATEGORIES


def _field(name: str, kind: pa.DataType, *, nullable: bool = False) -> pa.Field:
    return pa.field(name, kind, nullable=nullable)


_MESSAGE = pa.struct([_field("role", pa.string()), _field("content", pa.string())])
_IMAGE = pa.struct([_field("bytes", pa.binary(), nullable=True), _field("path", pa.string(), nullable=True)])
_FEATURES = {
    "images": {"feature": {"_type": "Image"}, "_type": "List"},
    "videos": {"feature": {"_type": "Json"}, "_type": "List"},
}
"""How `datasets`, with which verl reads the files, opens these columns: an image from its bytes or from its path, a
video as what its JSON text says. Without it verl would look for bytes only, and a column could not hold both paths
of videos and lists of frames."""
_EXTRA = [_field(name, pa.string()) for name in ("task", "category")]
SCHEMA = pa.schema(
    [
        _field("data_source", pa.string()),
        _field("prompt", pa.list_(_MESSAGE)),
        _field("images", pa.list_(_IMAGE), nullable=True),
        _field("videos", pa.list_(pa.json_()), nullable=True),
        _field("ability", pa.string()),
        _field("reward_model", pa.struct([_field("style", pa.string()), _field("ground_truth", pa.string())])),
        _field("extra_info", pa.struct([*_EXTRA, _field("index", pa.int64()), _field("info", pa.string())])),
    ],
    metadata={"huggingface": json.dumps({"info": {"features": _FEATURES}})},
)
_PLAIN = pa.schema([field if field.name != "videos" else field.with_type(pa.list_(pa.string())) for field in SCHEMA])


def make_row(
    *,
    data_source: str,
    task: str,
    category: str,
    index: int,
    prompt: str,
    ground_truth: Any,
    info: Mapping[str, Any],
    images: Sequence[bytes | str] | None = None,
    videos: Sequence[Any] | None = None,
) -> dict[str, Any]:
    """One checked row. Lists and objects in `ground_truth` become JSON text.

    `images` are encoded files (PNG, JPEG), or absolute paths; `videos` paths, lists of paths of frames, or objects that
    hold one of them as `video`.
    """
    truth = ground_truth if isinstance(ground_truth, str) else json.dumps(ground_truth)
    row = {
        "data_source": data_source,
        "prompt": [{"role": "user", "content": prompt}],
        "images": None if images is None else [_image(image) for image in images],
        "videos": None if videos is None else [json.dumps(video, ensure_ascii=False) for video in videos],
        "ability": category,
        "reward_model": {"style": "rule", "ground_truth": truth},
        "extra_info": {
            "task": task,
            "category": category,
            "index": index,
            "info": json.dumps(info, sort_keys=True, ensure_ascii=False),
        },
    }
    check_row(row)
    return row


def _image(image: bytes | str) -> dict[str, Any]:
    return {"bytes": None, "path": image} if isinstance(image, str) else {"bytes": image, "path": None}


def to_table(rows: list[dict[str, Any]]) -> pa.Table:
    """Rows as a table; pyarrow does not make JSON columns from Python values itself."""
    return pa.Table.from_pylist(rows, schema=_PLAIN).cast(SCHEMA)


def row_name(row: Mapping[str, Any]) -> str:
    """How messages name a row: its data source and index."""
    extra = row.get("extra_info")
    index = extra.get("index", "?") if isinstance(extra, Mapping) else "?"
    return f"row {index} of {row.get('data_source', '(no data_source)')}"


def check_row(row: Mapping[str, Any]) -> None:
    """Raise ValueError naming the row and the field unless `row` fits the schema and what verl expects of it."""
    if problem := _misfit(dict(row), pa.struct(list(SCHEMA))) or _empty_text(row) or _problem(row):
        raise ValueError(f"{row_name(row)}: {problem}")


_PYTHON_TYPES = {pa.string(): str, pa.json_(): str, pa.binary(): bytes, pa.int64(): int}


def _misfit(value: Any, kind: pa.DataType, path: str = "row") -> str | None:
    """Where a value does not have the type of the schema; pyarrow's own conversion would not say which field."""
    if pa.types.is_struct(kind):
        if not isinstance(value, Mapping):
            return f"{path} must be an object, not {type(value).__name__}"
        names = [field.name for field in kind]
        if odd := [name for name in value if name not in names] + [name for name in names if name not in value]:
            state = "is missing" if odd[0] in names else f"is not in the schema ({', '.join(names)})"
            return f"{path}.{odd[0]} {state}".removeprefix("row.")
        inner = [
            (value[field.name], field.type, f"{path}.{field.name}".removeprefix("row."))
            for field in kind
            if value[field.name] is not None or not field.nullable
        ]
    elif pa.types.is_list(kind):
        if not isinstance(value, list):
            return f"{path} must be a list, not {type(value).__name__}"
        inner = [(item, kind.value_type, f"{path}[{place}]") for place, item in enumerate(value)]
    else:
        fits = type(value) is _PYTHON_TYPES[kind]
        return None if fits else f"{path} must be {kind}, not {type(value).__name__}"
    found = (_misfit(*item) for item in inner)
    return next((problem for problem in found if problem), None)


def _empty_text(row: Mapping[str, Any]) -> str | None:
    texts = {"data_source": row["data_source"], "ability": row["ability"]}
    for group in ("reward_model", "extra_info"):
        texts |= {f"{group}.{key}": value for key, value in row[group].items()}
    return next((f"{name} is empty" for name, text in texts.items() if text == ""), None)


def _problem(row: Mapping[str, Any]) -> str | None:
    extra = row["extra_info"]
    if extra["index"] < 0:
        return f"extra_info.index is {extra['index']}; it counts from 0"
    if extra["category"] not in CATEGORIES or row["ability"] != extra["category"]:
        return f"extra_info.category {extra['category']!r} must equal ability and be one of {', '.join(CATEGORIES)}"
    try:
        if not isinstance(json.loads(extra["info"]), dict):
            return "extra_info.info must be a JSON object"
    except ValueError as error:
        return f"extra_info.info is not JSON: {error}"
    if not row["prompt"]:
        return "prompt has no message"
    text = "".join(message["content"] for message in row["prompt"])
    for field, mark in (("images", "<image>"), ("videos", "<video>")):
        items = row[field]
        if items is not None and not items:
            return f"{field} is an empty list; use None for a row without any"
        if text.count(mark) != len(items or []):
            return f"prompt has {text.count(mark)} {mark} for {len(items or [])} {field}"
    for place, image in enumerate(row["images"] or []):
        if not image["bytes"] and not image["path"]:
            return f"images[{place}] has neither bytes nor path"
        if not image["bytes"] and not os.path.isabs(image["path"]):
            return f"images[{place}].path {image['path']!r} is not absolute"
    return next((problem for video in row["videos"] or [] if (problem := _video_problem(video))), None)


def _video_problem(text: str) -> str | None:
    try:
        value = json.loads(text)
    except ValueError as error:
        return f"videos holds {text[:80]!r}, which is not JSON: {error}"
    video = value.get("video") if isinstance(value, dict) else value
    frames = video if isinstance(video, list) else [video]
    if frames and all(isinstance(frame, str) and frame for frame in frames):
        return None
    return f"videos holds {text[:80]!r}: neither a path nor a list of paths of frames"


def image_bytes(image: Any) -> bytes:
    """The encoded file of an item of `images`, from its bytes or its path; empty if it has neither."""
    data, path = (image.get("bytes"), image.get("path")) if isinstance(image, Mapping) else (None, None)
    if data or not path:
        return data or b""
    return Path(path).read_bytes()


def read_row_image(row: Mapping[str, Any], position: int = 0) -> Image.Image:
    """The RGB image of a row; ValueError naming the row when the column is missing or the image cannot be read."""
    images = row.get("images")
    if images is None or len(images) <= position:
        raise ValueError(f"{row_name(row)}: images has no image {position}; columns: {', '.join(map(str, row))}")
    try:
        if not (data := image_bytes(images[position])):
            raise ValueError("has no bytes and no path")
        with Image.open(BytesIO(data)) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{row_name(row)}: images[{position}] cannot be read: {error}") from error
