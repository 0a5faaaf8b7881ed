"""Validation rows for `aggregate`: results of `compute_score` with what each benchmark's table asks of `info`."""

from __future__ import annotations

import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from .registry import UNVERIFIABLE_SUFFIX, resolve_task


@dataclass(frozen=True, slots=True)
class Item:
    """One question of a benchmark."""

    name: str
    """For messages: data source and index."""
    task: str
    acc: float | None
    """Official figure, the mean over the question's responses; None without a verdict."""
    info: Mapping[str, Any]

    def value(self, key: str) -> str | None:
        """`info[key]` as text; None if it is absent or empty."""
        found = self.info.get(key)
        return None if found is None or str(found).strip() == "" else str(found).strip()


def read_items(records: Iterable[Mapping[str, Any]]) -> dict[str, list[Item]]:
    """The questions of each task. Responses to the same question (same name, prompt and info) become one item.

    A record is a result of `compute_score` with `row` ("<data_source>/<index>", as in a run's validation JSONL), or
    with `data_source` and `index`, and `info` (an object or its JSON text) at the top or under `extra_info`. Other
    keys count as info, too, except `category`, which is the task's there. ValueError names a record that is unusable.
    """
    kept: dict[tuple[str, str, str, str], Item] = {}
    accs: dict[tuple[str, str, str, str], list[float]] = defaultdict(list)
    for at, record in enumerate(records):
        source, name = _source_and_name(record, at)
        task = resolve_task(source, {"task": record.get("task") or _mapping(record.get("extra_info")).get("task")}).name
        info = _info(record, name)
        key = (task, name, str(record.get("input", "")), json.dumps(info, sort_keys=True, default=str))
        kept[key] = Item(name, task, None, info)
        if not source.endswith(UNVERIFIABLE_SUFFIX) and (acc := _acc(record, name)) is not None:
            accs[key].append(acc)
    items: dict[str, list[Item]] = defaultdict(list)
    for key, item in kept.items():
        acc = math.fsum(accs[key]) / len(accs[key]) if key in accs else None
        items[item.task].append(replace(item, acc=acc))
    return items


def read_validation(path: Path, prepared: Sequence[Path] = ()) -> list[dict[str, Any]]:
    """The records of a run's validation/<step>.jsonl, with the `info` of the prepared parquet files they were made of.

    ValueError for a line that is no object (a cut-off last line is left out), and for a row that the files lack.
    """
    lines = [line for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if line.strip()]
    records = []
    for number, line in enumerate(lines, start=1):
        try:
            records.append(dict(json.loads(line)))
        except (ValueError, TypeError, RecursionError):
            if number < len(lines):
                raise ValueError(f"{path}: line {number} is not a JSON object") from None
    if not prepared:
        return records
    infos = _prepared_infos(prepared)
    if lost := [str(record.get("row")) for record in records if record.get("row") not in infos]:
        raise ValueError(f"{path}: rows that {', '.join(map(str, prepared))} do not have: {', '.join(lost[:5])}")
    return [{**record, "info": _info_for(record, infos[record["row"]])} for record in records]


def _prepared_infos(paths: Sequence[Path]) -> dict[str, list[tuple[str, Any]]]:
    """[(ground truth, info)] of every row name: files of two splits may count their rows alike."""
    import pyarrow.parquet as pq

    found = defaultdict(list)
    for path in paths:
        for row in pq.read_table(path, columns=["data_source", "reward_model", "extra_info"]).to_pylist():
            entry = (str(row["reward_model"]["ground_truth"]), row["extra_info"].get("info"))
            found[f"{row['data_source']}/{row['extra_info']['index']}"].append(entry)
    return found


def _info_for(record: Mapping[str, Any], entries: Sequence[tuple[str, Any]]) -> Any:
    """The info of the row's entry; of several, of the one with its ground truth (`gts`)."""
    fitting = {str(info): info for truth, info in entries if len(entries) == 1 or truth == str(record.get("gts"))}
    if len(fitting) != 1:
        raise ValueError(
            f"row {record['row']} stands {len(entries)} times in the prepared files and its ground truth does not tell "
            "which it is: validate on one file at a time"
        )
    return next(iter(fitting.values()))


def _source_and_name(record: Mapping[str, Any], at: int) -> tuple[str, str]:
    row, extra = record.get("row"), _mapping(record.get("extra_info"))
    if row is not None:
        return str(record.get("data_source") or str(row).rpartition("/")[0]), str(row)
    source, index = str(record.get("data_source") or record.get("task") or ""), record.get("index", extra.get("index"))
    if not source:
        raise ValueError(f"record {at} has neither row nor data_source nor task (keys: {', '.join(record)})")
    return source, f"{source}/{at if index is None else index}" + (" (place)" if index is None else "")


def _info(record: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    extra = _mapping(record.get("extra_info"))
    info = record.get("info", extra.get("info"))
    if isinstance(info, str):
        try:
            info = json.loads(info)
        except ValueError as error:
            raise ValueError(f"row {name}: info is not JSON: {error}") from None
    if info is not None and not isinstance(info, Mapping):
        raise ValueError(f"row {name}: info must be an object or its JSON text, got {str(info)[:80]!r}")
    flat = {key: value for key, value in {**extra, **record}.items() if key in _FLAT}
    return {**flat, **(info or {})}


_FLAT = frozenset(
    {"group", "choices", "l2_category", "question_type", "answer_type", "problem_version", "subject", "level", "type"}
    | {"inst_category", "relation", "split", "dataset"}
)
"""Keys that may stand outside `info`. Not `category`: there it is the category of the task."""


def _acc(record: Mapping[str, Any], name: str) -> float | None:
    acc = record.get("acc")
    if not record.get("verifiable", True) or acc is None:
        return None
    if not isinstance(acc, int | float) or not math.isfinite(acc) or not 0 <= acc <= 1:
        raise ValueError(f"row {name}: acc is {acc!r}, not a number from 0 to 1")
    return float(acc)


def _mapping(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
