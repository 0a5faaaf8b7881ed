"""A prepared parquet file → examples for supervised steps: prompt tokens, image, and the two ways to answer."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
from transformers import Qwen3VLProcessor

from data_prep.schema import read_row_image, row_name

COLUMNS = ("data_source", "prompt", "images", "reward_model", "extra_info")
QUICK = "quick look"
"""What the hasty teacher writes in place of its reasoning."""
DESCRIBE = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "Describe the picture."}]}]


@dataclass(frozen=True)
class Example:
    """One row, images decoded."""

    data_source: str
    task: str
    category: str
    prompt: list[dict[str, Any]]
    """Chat messages whose content is a list of parts."""
    image: np.ndarray
    """(height, width, 3), uint8."""
    worked: str
    """The whole response of a careful teacher."""
    quick: str
    """The whole response of a hasty one: the same answer without the reasoning."""
    caption: str
    """What a description of the picture says; empty where the row has none."""
    ground_truth: str
    extra_info: dict[str, Any]


def read_rows(path: Path) -> Iterator[dict[str, Any]]:
    """Rows of a prepared file; ValueError naming the column that is missing."""
    file = pq.ParquetFile(path)
    if missing := [name for name in COLUMNS if name not in file.schema_arrow.names]:
        raise ValueError(f"{path} has no column {missing[0]!r}; make it with `python -m data_prep prepare`")
    for batch in file.iter_batches(batch_size=256, columns=list(COLUMNS)):
        yield from batch.to_pylist()


def to_example(row: Mapping[str, Any], *, thinking_tag: str) -> Example:
    """ValueError naming the row where the image or the teacher's text is missing."""
    extra = row["extra_info"]
    info = json.loads(extra["info"])
    for key in ("worked", "target"):
        if not isinstance(info.get(key), str) or not info[key]:
            raise ValueError(f"{row_name(row)}: extra_info.info has no {key!r}, which the warm start learns from")
    messages = [{"role": m["role"], "content": _parts(m["content"])} for m in row["prompt"]]
    return Example(
        data_source=row["data_source"],
        task=extra["task"],
        category=extra["category"],
        prompt=messages,
        image=np.array(read_row_image(row)),
        worked=response(info["worked"], info["target"], thinking_tag),
        quick=response(QUICK, info["target"], thinking_tag),
        caption=info.get("caption", ""),
        ground_truth=row["reward_model"]["ground_truth"],
        extra_info=dict(extra),
    )


def response(thinking: str, answer: str, tag: str) -> str:
    return f"<{tag}>{thinking}</{tag}><answer>{answer}</answer>"


def _parts(content: str) -> list[dict[str, str]]:
    """verl's reading of the placeholder: "<image>question" → an image part and a text part."""
    parts: list[dict[str, str]] = []
    for position, text in enumerate(content.split("<image>")):
        if position:
            parts.append({"type": "image"})
        if text:
            parts.append({"type": "text", "text": text})
    return parts


def texts_of(row: Mapping[str, Any], *, thinking_tag: str) -> Iterator[str]:
    """What the tokenizer learns from: the prompt and both responses."""
    info = json.loads(row["extra_info"]["info"])
    yield from (message["content"] for message in row["prompt"])
    yield response(f"{info.get('worked', '')} {QUICK}", info.get("target", ""), thinking_tag)
    yield f"Describe the picture. {info.get('caption', '')}"


def prompt_text(messages: list[dict[str, Any]], processor: Qwen3VLProcessor) -> str:
    return processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
