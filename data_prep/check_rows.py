"""What must hold of one prepared row."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from data_prep.gold import gold_response
from data_prep.schema import check_row, read_row_image, row_name
from reward_fns.registry import resolve_task
from reward_fns.score import compute_score
from reward_fns.settings import RewardSettings
from reward_fns.verdict import VerifierError


@dataclass(frozen=True)
class Rules:
    """What rows are checked against."""

    processor: str | None = None
    """Model folder or hub id whose processor counts the tokens of prompts; None: they are not counted."""
    max_prompt_length: int = 1024
    """Tokens, images included."""


def row_problems(row: Mapping[str, Any], rules: Rules) -> Iterator[tuple[str, str]]:
    """(reason, message) of everything that is wrong with a row. A row whose fields do not fit is looked at no further.

    The reason "unverifiable" is no fault: no rule can judge the row.
    """
    try:
        check_row(row)
    except ValueError as error:
        yield "row", str(error).removeprefix(f"{row_name(row)}: ")
        return
    images = []
    for position in range(len(row["images"] or [])):
        try:
            images.append(read_row_image(row, position))
        except ValueError as error:
            yield "image", str(error)
    yield from _gold_problems(row, rules)
    if outside := out_of_range(row["reward_model"]["ground_truth"]):
        yield "range", outside
    if rules.processor and not row["videos"] and len(images) == len(row["images"] or []):
        tokens = prompt_tokens(rules.processor, row["prompt"], images)
        if tokens > rules.max_prompt_length:
            yield "prompt length", f"{tokens} tokens, over {rules.max_prompt_length}"


def _gold_problems(row: Mapping[str, Any], rules: Rules) -> Iterator[tuple[str, str]]:
    truth, extra = row["reward_model"]["ground_truth"], row["extra_info"]
    try:
        resolve_task(row["data_source"], extra)
    except ValueError as error:
        yield "task", str(error)
        return
    settings = RewardSettings(verify_timeout=30)
    try:
        response = gold_response(row)
        found = compute_score(row["data_source"], response, truth, extra, settings=settings)
    except (VerifierError, ValueError, TypeError, KeyError, IndexError) as error:
        yield "truth", f"the verifier cannot use ground_truth {truth[:80]!r}: {error}"
        return
    if not found["verifiable"]:
        yield "unverifiable", "no rule can judge it"
    elif (found["acc"], found["format"]) != (1.0, 1.0) or found["accuracy"] < 1 - 1e-9:
        parts = ", ".join(f"{name} {found[name]:.3g}" for name in ("acc", "accuracy", "format"))
        yield "gold", f"the gold answer {truth[:80]!r} does not score 1: {parts} (official, reward, format)"


def out_of_range(truth: str) -> str | None:
    """What is wrong with the places in a ground truth; None where nothing is, or it holds none.

    Boxes have an area inside 0..1000, points lie in 0..1000, corners of polygons in 0..1.
    """
    try:
        value = json.loads(truth) if truth[:1] in "[{" else None
    except ValueError:
        return None
    if isinstance(value, list):
        if len(value) == 4 and all(map(_is_number, value)):
            return _box_problem(value)
        corners = [each for each in value if _is_pair(each)]
        if len(corners) == len(value) > 2:
            return next((f"corner {each} is out of 0..1" for each in corners if not _within(each, 1)), None)
    if not isinstance(value, dict):
        return None
    boxes = value.get("boxes")
    found = [
        _box_problem(each) for each in (boxes.values() if isinstance(boxes, dict) else [boxes]) if each is not None
    ]
    for name in ("positive_points", "negative_points"):
        points = value.get(name) or []
        found += [f"point {each} is out of 0..1000" for each in points if not (_is_pair(each) and _within(each, 1000))]
    return next((problem for problem in found if problem), None)


def _box_problem(box: Any) -> str | None:
    if not isinstance(box, list) or len(box) != 4 or not all(map(_is_number, box)):
        return f"box {str(box)[:80]} is not four numbers"
    x1, y1, x2, y2 = box
    fits = 0 <= x1 < x2 <= 1000 and 0 <= y1 < y2 <= 1000
    return None if fits else f"box {box} is reversed, empty or out of 0..1000"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_pair(value: Any) -> bool:
    return isinstance(value, list) and len(value) == 2 and all(map(_is_number, value))


def _within(numbers: list[float], limit: float) -> bool:
    return all(0 <= number <= limit for number in numbers)


def prompt_tokens(model: str, messages: list[dict[str, str]], images: list[Any]) -> int:
    """Tokens of a prompt as the model gets it: chat template, and every image as many tokens as its size takes."""
    processor = load_processor(model)
    chat = [{"role": each["role"], "content": _parts(each["content"])} for each in messages]
    text = processor.apply_chat_template(chat, add_generation_prompt=True, tokenize=False)
    if not images:
        return len(processor.tokenizer(text, add_special_tokens=False)["input_ids"])
    return len(processor(text=[text], images=images)["input_ids"][0])


def _parts(content: str) -> list[dict[str, str]] | str:
    """The content with its `<image>` marks as the image parts that chat templates know."""
    pieces = content.split("<image>")
    if len(pieces) == 1:
        return content
    parts: list[dict[str, str]] = []
    for at, piece in enumerate(pieces):
        parts += [{"type": "image"}] if at else []
        parts += [{"type": "text", "text": piece}] if piece else []
    return parts


@cache
def load_processor(model: str) -> Any:
    """The processor of a model folder or hub id; ValueError if it has none."""
    from transformers import AutoProcessor

    try:
        processor = AutoProcessor.from_pretrained(model, local_files_only=Path(model).is_dir())
    except (OSError, ValueError, KeyError, ImportError) as error:
        raise ValueError(f"--processor {model} holds no processor that loads: {error}") from error
    if not hasattr(processor, "tokenizer"):
        raise ValueError(f"--processor {model} is a {type(processor).__name__}: it reads no images")
    return processor
