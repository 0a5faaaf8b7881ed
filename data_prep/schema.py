"""The one row schema: what every prepared parquet file holds, in the form that verl's dataset class reads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from io import BytesIO
from typing import Any

import pyarrow as pa
from PIL import Image

CATEGORIES = ("general_vqa", "math_vqa", "chart_vqa", "spatial_reasoning", "document", "grounding")

SCHEMA = pa.schema(
    [
        pa.field("data_source", pa.string(), nullable=False),
        pa.field("prompt", pa.list_(pa.struct([("role", pa.string()), ("content", pa.string())])), nullable=False),
        pa.field("images", pa.list_(pa.struct([("bytes", pa.binary()), ("path", pa.string())]))),
        pa.field("videos", pa.list_(pa.string())),
        pa.field("ability", pa.string(), nullable=False),
        pa.field("reward_model", pa.struct([("style", pa.string()), ("ground_truth", pa.string())]), nullable=False),
        pa.field(
            "extra_info",
            pa.struct([("task", pa.string()), ("category", pa.string()), ("index", pa.int64()), ("info", pa.string())]),
            nullable=False,
        ),
    ]
)


def make_row(
    *,
    data_source: str,
    task: str,
    category: str,
    index: int,
    prompt: str,
    ground_truth: Any,
    info: Mapping[str, Any],
    images: list[bytes] | None = None,
    videos: list[str] | None = None,
) -> dict[str, Any]:
    """One checked row. Lists and objects in `ground_truth` become JSON text; `images` are encoded files (PNG, JPEG)."""
    truth = ground_truth if isinstance(ground_truth, str) else json.dumps(ground_truth)
    row = {
        "data_source": data_source,
        "prompt": [{"role": "user", "content": prompt}],
        "images": None if images is None else [{"bytes": data, "path": None} for data in images],
        "videos": videos,
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


def row_name(row: Mapping[str, Any]) -> str:
    """How messages name a row: its data source and index."""
    extra = row.get("extra_info")
    index = extra.get("index", "?") if isinstance(extra, Mapping) else "?"
    return f"row {index} of {row.get('data_source', '(no data_source)')}"


def check_row(row: Mapping[str, Any]) -> None:
    """Raise ValueError naming the row and the field unless `row` fits the schema and what verl expects of it."""

    def bad(field: str, why: str) -> ValueError:
        return ValueError(f"{row_name(row)}: {field} {why}")

    for name in SCHEMA.names:
        if name not in row:
            raise bad(name, "is missing")
    if unknown := sorted(set(row) - set(SCHEMA.names)):
        raise bad(unknown[0], f"is not in the schema ({', '.join(SCHEMA.names)})")
    try:
        pa.RecordBatch.from_pylist([dict(row)], schema=SCHEMA)
    except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
        raise bad("value", f"does not fit the schema: {error}") from error
    for group, keys in (("reward_model", ("style", "ground_truth")), ("extra_info", ("task", "category", "info"))):
        for key in keys:
            if not isinstance((row[group] or {}).get(key), str) or not row[group][key]:
                raise bad(f"{group}.{key}", "must be a text that is not empty")
    if not isinstance(row["extra_info"].get("index"), int) or row["extra_info"]["index"] < 0:
        raise bad("extra_info.index", f"must be an integer from 0, not {row['extra_info'].get('index')!r}")
    category = row["extra_info"]["category"]
    if category not in CATEGORIES or row["ability"] != category:
        raise bad("extra_info.category", f"{category!r} must equal ability and be one of {', '.join(CATEGORIES)}")
    try:
        info = json.loads(row["extra_info"]["info"])
    except ValueError as error:
        raise bad("extra_info.info", f"is not JSON: {error}") from error
    if not isinstance(info, dict):
        raise bad("extra_info.info", "must be a JSON object")
    _check_prompt(row, bad)


def _check_prompt(row: Mapping[str, Any], bad: Any) -> None:
    if not row["prompt"]:
        raise bad("prompt", "has no message")
    text = "".join(message["content"] for message in row["prompt"])
    for field, mark in (("images", "<image>"), ("videos", "<video>")):
        items = row[field]
        if items is not None and not items:
            raise bad(field, "is an empty list; use None for a row without any")
        if text.count(mark) != len(items or []):
            raise bad("prompt", f"has {text.count(mark)} {mark} for {len(items or [])} {field}")
    for image in row["images"] or []:
        if not image.get("bytes"):
            raise bad("images", "must carry the bytes of the file: verl does not open paths beside them")


def read_row_image(row: Mapping[str, Any], position: int = 0) -> Image.Image:
    """The RGB image of a row; ValueError naming the row when the column is missing or the image cannot be read."""
    images = row.get("images")
    if images is None or len(images) <= position:
        raise ValueError(f"{row_name(row)}: images has no image {position}; columns: {', '.join(map(str, row))}")
    data = images[position].get("bytes") if isinstance(images[position], Mapping) else None
    if not data:
        raise ValueError(f"{row_name(row)}: images[{position}] has no bytes")
    try:
        with Image.open(BytesIO(data)) as image:
            return image.convert("RGB")
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"{row_name(row)}: images[{position}] cannot be read: {error}") from error
