"""Data files: can they be read, do they have the columns, are their rows what the rewards and the model expect."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from data_prep.check_rows import Rules, row_problems
from data_prep.dataset_files import schema_problems
from data_prep.schema import row_name
from reward_fns.registry import labels, resolve_task
from verl_ext.doctor.finding import Finding, fault, note, ok, warning
from verl_ext.doctor.videos import video_findings

PIXEL_MODELS = ("qwen2_5_vl",)
"""Model types that answer in pixels of the resized image; the others answer in 0-1000."""
NEEDED = ("data_source", "prompt", "reward_model", "extra_info")
PREPARE = "prepare it with python -m data_prep"


def files_of(config: Mapping[str, Any], key: str) -> list[str]:
    value = config["data"][key]
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def data_findings(config: Mapping[str, Any], *, model_type: str, sample: int) -> Iterator[Finding]:
    """`sample`: rows of each file that are looked into; with a model folder or id whose processor loads."""
    for key in ("train_files", "val_files"):
        for name in files_of(config, key):
            yield from file_findings(name, key, config, model_type, sample)
    try:
        rows = sum(pq.read_metadata(Path(name).expanduser()).num_rows for name in files_of(config, "train_files"))
    except (OSError, pa.ArrowException):
        return  # named above
    if rows < (batch := config["data"]["train_batch_size"]):
        yield fault("data", f"{rows} training rows make no batch of data.train_batch_size={batch}", "lower it")


def tasks_of(config: Mapping[str, Any]) -> Counter[tuple[str, str]]:
    """Rows per (task, category) over the training files that can be read."""
    found: Counter[tuple[str, str]] = Counter()
    for name in files_of(config, "train_files"):
        try:
            table = pq.read_table(Path(name).expanduser(), columns=["data_source", "extra_info"])
        except (OSError, pa.ArrowException):
            continue
        named = ((row["data_source"] or "", row["extra_info"] or {}) for row in table.to_pylist())
        rows = Counter((source, extra.get("task"), extra.get("category")) for source, extra in named)
        for (source, task, category), count in rows.items():
            found[labels(source, {"task": task, "category": category})] += count
    return found


def file_findings(name: str, key: str, config: Mapping[str, Any], model_type: str, sample: int) -> Iterator[Finding]:
    path = Path(name).expanduser()
    if not path.is_file():
        yield fault("data", f"data.{key}: {name} is not there", "prepare it: python -m data_prep list")
        return
    try:
        file = pq.ParquetFile(path)
    except (OSError, pa.ArrowException) as error:
        yield fault("data", f"data.{key}: {name} is no parquet file: {error}", "prepare it anew")
        return
    missing = [column for column in NEEDED if column not in file.schema_arrow.names]
    if missing:
        have = ", ".join(file.schema_arrow.names)
        yield fault("data", f"{name} has no column {', '.join(missing)}; it has {have}", PREPARE)
        return
    if problems := schema_problems(file.schema_arrow):
        yield warning(
            "data", f"{name}: {problems[0]}" + (f" (and {len(problems) - 1} more)" if problems[1:] else ""), PREPARE
        )
    yield note("data", f"{name}: {file.metadata.num_rows} rows")
    yield from sample_findings(name, file, config, model_type, sample)


def sample_findings(
    name: str, file: pq.ParquetFile, config: Mapping[str, Any], model_type: str, sample: int
) -> Iterator[Finding]:
    processor = str(Path(config["actor_rollout_ref"]["model"]["path"]).expanduser()) if model_type else None
    rules = Rules(processor, config["data"]["max_prompt_length"])
    found: Counter[str] = Counter()
    first: dict[str, str] = {}
    formats: Counter[str] = Counter()
    videos: list[dict[str, Any]] = []
    looked, tag = 0, f"<{config['verl_ext']['thinking_tag']}>"
    untagged = 0
    for read in next(file.iter_batches(sample), pa.RecordBatch.from_pylist([])).to_pylist():
        row = {"images": None, "videos": None} | read  # which files that were not made by data_prep may lack
        looked += 1
        for reason, message in row_problems(row, rules):
            found[reason] += 1
            first.setdefault(reason, f"{row_name(row)}: {message}")
        untagged += tag not in str(row["prompt"])
        formats.update(box_formats(row))
        videos += [row] if row["videos"] else []
    unverifiable = found.pop("unverifiable", 0)
    for reason, count in found.items():
        fix = f"python -m data_prep check {name} shows all"
        if reason == "prompt length":
            fix = (
                "raise data.max_prompt_length, prepare with smaller --max-pixels, or data.filter_overlong_prompts=true"
            )
        yield fault("data", f"{name}: {count} of {looked} rows, {reason}: {first[reason]}", fix)
    if unverifiable:
        yield note("data", f"{name}: {unverifiable} of {looked} rows cannot be judged by rules; they stay out of means")
    if untagged:
        yield warning(
            "data",
            f"{name}: {untagged} of {looked} prompts do not ask for {tag}, which verl_ext.thinking_tag rewards",
            "set verl_ext.thinking_tag to what the prompts ask for, or prepare with --thinking-tag",
        )
    if videos and processor:
        patch = config["data"].get("image_patch_size", 14)
        yield from video_findings(
            name, videos, processor=processor, patch=patch, max_prompt_length=rules.max_prompt_length
        )
    pixels = formats.get("pixels", 0)
    if model_type and formats and (model_type in PIXEL_MODELS) != (pixels > 0):
        asked = "pixels" if pixels else "0-1000"
        yield fault(
            "data",
            f"{name}: boxes are asked in {asked}, but a {model_type} model answers otherwise",
            "prepare with the --convention of the model",
        )
    if not found:
        yield ok("data", f"{name}: the gold answers of {looked} rows score 1")


def box_formats(row: Mapping[str, Any]) -> Iterator[str]:
    """The convention of a row whose answer is a box."""
    try:
        task = resolve_task(row["data_source"] or "", row["extra_info"])
    except ValueError:
        return
    if task.answer_format == "box":
        yield json.loads(row["extra_info"]["info"]).get("box_format", "relative_1000")
