"""The metrics of a run out of TensorBoard's event files or an exported history of W&B.

Both hold numbers per step alone: no rows of validation, no examples, no config and no histograms.
"""

from __future__ import annotations

import csv
import json
import math
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from verl_ext import summary
from verl_ext.report.run import Run, summary_of_metrics

EVENTS = "*tfevents*"
STEP = "_step"
"""W&B's column of the training step, as verl logs it"""
MISSING = (
    "{source} holds numbers alone: no config (settings, envelopes, entropy bands), no standard errors of the "
    "validation, no examples, no distribution of the advantages. The run folder has them all."
)


def load_tensorboard(path: Path) -> Run:
    """Read a folder with event files (in it or in one folder below). ValueError if that is not so."""
    folders = sorted({file.parent for file in path.rglob(EVENTS)})
    if path in folders:
        folders = [path]
    if len(folders) != 1:
        names = ", ".join(str(folder) for folder in folders[:5])
        raise ValueError(f"{path}: event files lie in {len(folders)} folders ({names}); name one of them as RUN")
    try:
        from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    except ImportError as error:
        raise ValueError(f"{path}: event files are read by the package tensorboard: pip install tensorboard") from error
    # 0: all points; by default it keeps a sample of them.
    events = EventAccumulator(str(folders[0]), size_guidance={"scalars": 0})
    events.Reload()
    points = ((each.step, {tag: each.value}) for tag in events.Tags()["scalars"] for each in events.Scalars(tag))
    return _finish(Run(path, label=path.resolve().name), points, "TensorBoard")


def load_wandb(path: Path) -> Run:
    """Read a history (.json, .jsonl or .csv) with the column `_step`, as `wandb.Api().run(…).scan_history()` yields.

    ValueError if the file is of another kind or has no such column.
    """
    readers = {".json": _read_json, ".jsonl": _read_jsonl, ".csv": _read_csv}
    if path.suffix.lower() not in readers:
        raise ValueError(f"{path}: a RUN is a run folder, a folder of event files, or a .json, .jsonl or .csv history")
    rows = readers[path.suffix.lower()](path)
    points = [(int(step), row) for row in rows if (step := _number(row.get(STEP))) is not None]
    if not points:
        columns = ", ".join(sorted({key for row in rows for key in row})[:8]) or "none"
        raise ValueError(
            f"{path}: no row has a number in the column {STEP} (columns: {columns}); "
            "export the history by pandas.DataFrame(run.scan_history()).to_csv(…)"
        )
    run = _finish(Run(path, label=path.stem), points, "The export")
    if left := len(rows) - len(points):
        run.notices.append(f"{left} row(s) without a number in {STEP} are left out.")
    return run


def _finish(run: Run, points: Iterable[tuple[int, Mapping[str, Any]]], source: str) -> Run:
    """Merge points into one record a step, the later one where a resumed run logged a step again."""
    steps: dict[int, dict[str, Any]] = defaultdict(dict)
    for step, values in points:
        numbers = {key: number for key, value in values.items() if (number := _number(value)) is not None}
        steps[step].update(numbers)
    run.metrics = [{**steps[step], "step": step} for step in sorted(steps)]
    run.keys = set().union(*run.metrics)
    if not run.metrics:
        raise ValueError(f"{run.path}: no scalar in it")
    run.notices.append(MISSING.format(source=source))
    if not run.names("task"):
        run.notices.append("No figures per task (task/<task>/…): was the run trained with verl_ext's trainer?")
    run.summary = summary_of_metrics(run)
    return run


def _number(value: Any) -> float | None:
    """A finite number, also one that a table wrote as text."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        return None
    return number if math.isfinite(number) else None


def _read_json(path: Path) -> list[dict[str, Any]]:
    """Records, or columns as pandas writes them: {column: {row: value}}."""
    try:
        value = json.loads(path.read_text(encoding="utf-8", errors="replace"))
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{path} is not JSON: {error}") from error
    if isinstance(value, dict) and all(isinstance(column, dict) for column in value.values()):
        rows: dict[str, dict[str, Any]] = defaultdict(dict)
        for name, column in value.items():
            for row, cell in column.items():
                rows[row][name] = cell
        return list(rows.values())
    if isinstance(value, list):
        return [row for row in value if isinstance(row, dict)]
    raise ValueError(f"{path}: a history is a list of records or an object of columns, not {type(value).__name__}")


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    return [record for _, record in summary.read_jsonl(path) if record is not None]


def _read_csv(path: Path) -> list[dict[str, Any]]:
    with path.open(encoding="utf-8", errors="replace", newline="") as file:
        return [dict(row) for row in csv.DictReader(file)]
