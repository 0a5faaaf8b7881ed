"""Validation accuracy before and after training, per task, per category and overall.

`python -m verl_ext.summary RUN` reads RUN/validation/<step>.jsonl, writes RUN/summary.json and prints a table.
Needs the files of a run folder and numpy, nothing of verl.
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

log = logging.getLogger(__name__)

Stats = dict[str, Any]
"""{n, acc_before, acc_after, se_before, se_after, se_diff}; null where it cannot be computed."""


@dataclass(frozen=True)
class Row:
    """One validation row; `acc` is the mean over its responses when the row was answered several times."""

    task: str
    category: str
    acc: float


@dataclass(frozen=True)
class Validation:
    """One validation of the run."""

    step: int
    rows: dict[str, Row]
    """keyed by `row`, as in "val/17" """
    unjudged: frozenset[str]
    """rows without a verdict, left out"""


def read_jsonl(path: Path) -> Iterator[tuple[int, dict[str, Any] | None]]:
    """(line number from 1, JSON object) of each line that is not blank; None for a line that is not a JSON object."""
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if line.strip():
                try:
                    record = json.loads(line)
                except (ValueError, RecursionError):
                    record = None
                yield number, record if isinstance(record, dict) else None


def validation_files(run: Path) -> dict[int, Path]:
    """{step: path} of RUN/validation/<step>.jsonl, by ascending step. ValueError if there is none."""
    files = {int(path.stem): path for path in (run / "validation").glob("*.jsonl") if path.stem.isdigit()}
    if not files:
        raise ValueError(
            f"{run}: no validation/<step>.jsonl; is it a run folder? "
            "(trainer.validation_data_dir must be RUN/validation, and trainer.val_before_train on)"
        )
    return dict(sorted(files.items()))


def load_validation(path: Path) -> Validation:
    """Read one validation/<step>.jsonl.

    A cut-off last line is left out with a warning, and so are rows without a verdict (`verifiable` false, `acc` null).
    ValueError names the line or row of anything else that is wrong.
    """
    lines = list(read_jsonl(path))
    if lines and lines[-1][1] is None:
        log.warning("%s: the last line is cut off (interrupted run?), left out", path)
        lines.pop()
    labels: dict[str, tuple[str, str]] = {}
    accs: dict[str, list[float]] = defaultdict(list)
    unjudged = []
    for number, record in lines:
        if record is None:
            raise ValueError(f"{path}: line {number} is not a JSON object")
        if missing := [key for key in ("row", "task", "category", "acc") if key not in record]:
            raise ValueError(f"{path}: line {number} has no {', '.join(missing)} (keys: {', '.join(record)})")
        row, acc = str(record["row"]), record["acc"]
        if acc is None or not record.get("verifiable", True):
            unjudged.append(row)
            continue
        if not isinstance(acc, int | float) or not np.isfinite(acc):
            raise ValueError(f"{path}: row {row} has acc {acc!r}, not a finite number")
        labels[row] = (str(record["task"]), str(record["category"]))
        accs[row].append(float(acc))
    if unjudged:
        log.warning("%s: %d responses have no verdict, left out: %s", path, len(unjudged), _some(unjudged))
    rows = {row: Row(*labels[row], float(np.mean(values))) for row, values in accs.items()}
    return Validation(int(path.stem), rows, frozenset(unjudged) - set(rows))


def pair(before: Validation, after: Validation) -> list[tuple[Row, Row]]:
    """The rows that both validations judged; those of one alone are left out with a warning.

    verl writes no row for a response that could not be generated or judged. ValueError where a validation lacks more
    than half of the other's rows, or has one under another task.
    """
    for one, other in ((before, after), (after, before)):
        lost = [row for row in one.rows if row not in other.rows and row not in other.unjudged]
        if 2 * len(lost) > len(one.rows):
            raise ValueError(
                f"validation rows of step {one.step} that step {other.step} does not have: {_some(lost)}; "
                "before and after must judge the same val.parquet"
            )
        if lost:
            log.warning("step %d lacks %d rows, left out: %s", other.step, len(lost), _some(lost))
    pairs = {row: (one, after.rows[row]) for row, one in before.rows.items() if row in after.rows}
    moved = [row for row, (a, b) in pairs.items() if (a.task, a.category) != (b.task, b.category)]
    if moved:
        raise ValueError(f"rows with another task at step {after.step}: {_some(moved)}; was val.parquet remade?")
    return list(pairs.values())


def stats(before: Iterable[float], after: Iterable[float] | None) -> Stats:
    """Means, their standard errors sqrt(var / n) and that of the paired difference (sample variance, n - 1).

    `after=None` (one validation only) leaves the fields of the end null; n = 1 leaves the standard errors null.
    """
    a = np.asarray(list(before), dtype=float)
    b = None if after is None else np.asarray(list(after), dtype=float)
    return {
        "n": len(a),
        "acc_before": _mean(a),
        "acc_after": _mean(b),
        "se_before": _se(a),
        "se_after": _se(b),
        "se_diff": None if b is None else _se(b - a),
    }


def summarise(run: Path) -> dict[str, Any]:
    """`compare` of the first and the last validation of a run folder (null at the end while there is only one)."""
    files = list(validation_files(run).values())
    before = load_validation(files[0])
    return compare(before, load_validation(files[-1]) if len(files) > 1 else None)


def compare(before: Validation, after: Validation | None) -> dict[str, Any]:
    """{tasks: {name: Stats}, categories: {name: Stats}, overall: Stats} over the rows that both validations judged."""
    pairs = pair(before, after) if after else [(row, None) for row in before.rows.values()]
    if not pairs:
        steps = f"step {before.step}" + (f" and of step {after.step}" if after else "")
        raise ValueError(f"no validation row of {steps} has a verdict")

    def of(chosen: Sequence[tuple[Row, Row | None]]) -> Stats:
        return stats([a.acc for a, _ in chosen], [b.acc for _, b in chosen if b] if after else None)

    tasks, categories = defaultdict(list), defaultdict(list)
    for each in pairs:
        tasks[each[0].task].append(each)
        categories[each[0].category].append(each)
    return {
        "tasks": {name: of(tasks[name]) for name in sorted(tasks)},
        "categories": {name: of(categories[name]) for name in sorted(categories)},
        "overall": of(pairs),
    }


def write_summary(run: Path) -> dict[str, Any]:
    """Write RUN/summary.json and return it. A reader never sees half a file."""
    summary = summarise(run)
    part = run / "summary.json.part"
    part.write_text(json.dumps(summary, indent=2) + "\n", encoding="utf-8")
    part.replace(run / "summary.json")
    return summary


def table(summary: dict[str, Any]) -> str:
    """The summary as aligned plain text, in percent, with one standard error."""
    lines = [f"{'validation accuracy, %':<24}{'n':>6}  {'before':>13}    {'after':>13}   {'change':>13}"]
    blocks = (("tasks", summary["tasks"]), ("categories", summary["categories"]), ("", {"overall": summary["overall"]}))
    for title, block in blocks:
        lines.append(title or "-" * len(lines[0]))
        for name, s in block.items():
            label = f"  {name}" if title else name
            before, after = _percent(s["acc_before"], s["se_before"]), _percent(s["acc_after"], s["se_after"])
            lines.append(f"{label:<24}{s['n']:>6}  {before:>13} -> {after:>13}   {change(s):>13}".rstrip())
    return "\n".join(lines)


def change(s: Stats) -> str:
    """The paired difference in points with its standard error, as in "+14.1 ± 1.8"; a dash without an end."""
    if s["acc_after"] is None:
        return "-"
    return _percent(s["acc_after"] - s["acc_before"], s["se_diff"], sign="+")


def _percent(value: float | None, se: float | None, sign: str = "") -> str:
    if value is None:
        return "-"
    return f"{100 * value:{sign}.1f}" + ("" if se is None else f" ± {100 * se:.1f}")


def _mean(values: np.ndarray | None) -> float | None:
    return None if values is None or not len(values) else float(values.mean())


def _se(values: np.ndarray | None) -> float | None:
    return None if values is None or len(values) < 2 else float(values.std(ddof=1) / np.sqrt(len(values)))


def _some(names: list[str], most: int = 5) -> str:
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def main(argv: list[str] | None = None) -> None:
    """Command line."""
    parser = argparse.ArgumentParser(prog="python -m verl_ext.summary", description="Accuracy before and after.")
    parser.add_argument("run", type=Path, help="the run folder")
    run = parser.parse_args(argv).run
    try:
        summary = write_summary(run)
    except (ValueError, OSError) as error:
        sys.exit(f"error: {error}")
    print(table(summary))


if __name__ == "__main__":
    main()
