"""Rows that would stop a training or be left out of it, found before Ray starts; images are not read.

`python -m data_prep check` looks at everything; this reads the columns that are cheap to read.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from reward_fns.registry import labels, resolve_task
from reward_fns.settings import CATEGORIES
from verl_ext.config_fields import unknown

SHOWN = 5
FIX = "mend or drop the row; `python -m data_prep check {file}` finds all that is wrong with a file"


def refuse_rows(config: Any) -> None:
    """ValueError naming file, row and fix for the data files of a run. Remote files and other kinds are passed over."""
    ours = config.reward.reward_manager.name == "verl_ext" and not config.reward.custom_reward_function.path
    found = []
    for key in ("train_files", "val_files"):
        given = config.data[key]
        for name in [given] if isinstance(given, str) else given or []:
            path = Path(str(name)).expanduser()
            if "://" not in str(name) and path.suffix == ".parquet":
                problems = file_problems(path, judged_by_us=ours, prompt=config.data.get("prompt_key", "prompt"))
                found += [f"data.{key}: {problem}" for problem in problems]
    if found:
        raise ValueError("the data cannot be trained on:\n" + "\n".join(f"  - {problem}" for problem in found))


def file_problems(path: Path, *, judged_by_us: bool = True, prompt: str = "prompt") -> list[str]:
    """`judged_by_us`: reward_fns computes the rewards, so that every row needs a task and a ground truth.

    `prompt`: the column of the prompts.
    """
    try:
        file = pq.ParquetFile(path)
        present = set(file.schema_arrow.names)
        table = file.read(columns=[name for name in (prompt, "data_source", "reward_model", "extra_info")
                                   if name in present])  # fmt: skip
    except FileNotFoundError:
        return [f"{path} is not there: python -m data_prep list says how to prepare it"]
    except (OSError, pa.ArrowException) as error:
        return [f"{path} cannot be read: {error}; prepare it anew"]
    needed = [prompt, *(["data_source", "reward_model"] if judged_by_us else [])]
    if missing := [name for name in needed if name not in present]:
        return [f"{path} has no column {', '.join(missing)}: python -m data_prep makes it"]
    found = list(_row_problems(table, judged_by_us, prompt))
    lines = [f"{path}, row {row}: {problem}; {FIX.format(file=path)}" for row, problem in found[:SHOWN]]
    return lines + ([f"{path}: {len(found) - SHOWN} rows more"] if len(found) > SHOWN else [])


def _row_problems(table: pa.Table, judged_by_us: bool, column: str) -> Iterator[tuple[int, str]]:
    prompt = table[column].combine_chunks()
    empty = pc.fill_null(pc.equal(pc.list_value_length(prompt), 0), True) if pa.types.is_list(prompt.type) else None
    yield from ((row, "prompt is empty") for row in _rows(pc.is_null(prompt) if empty is None else empty))
    if not judged_by_us:
        return
    truth = _field(table, "reward_model", "ground_truth")
    yield from ((row, "reward_model.ground_truth is missing") for row in _rows(pc.is_null(truth)))
    named = [table["data_source"], *(_field(table, "extra_info", name) for name in ("task", "category"))]
    labels_N = list(zip(*(column.to_pylist() for column in named), strict=True))
    wrong = {own: problem for own in set(labels_N) if (problem := _label_problem(*own))}
    if wrong:
        yield from ((row, wrong[own]) for row, own in enumerate(labels_N) if own in wrong)


def _label_problem(data_source: str | None, task: str | None, category: str | None) -> str | None:
    info = {"task": task, "category": category}
    try:
        resolve_task(data_source or "", info)
        own = labels(data_source or "", info)[1]
    except ValueError as error:
        return str(error)
    return None if own in CATEGORIES else unknown("category", own, CATEGORIES)


def _field(table: pa.Table, column: str, name: str) -> pa.Array:
    """A field of a struct column, null where the struct is, or where there is no such field."""
    if column not in table.column_names:
        return pa.nulls(len(table))
    struct = table[column].combine_chunks()
    known = pa.types.is_struct(struct.type) and struct.type.get_field_index(name) >= 0
    return pc.struct_field(struct, name) if known else pa.nulls(len(table))


def _rows(chosen: Any) -> list[int]:
    return pc.indices_nonzero(chosen).to_pylist()
