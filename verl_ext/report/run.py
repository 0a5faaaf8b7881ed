"""What a run folder holds, read as far as it has been written, with a notice for everything that is missing."""

from __future__ import annotations

import logging
import math
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from reward_fns.settings import CATEGORIES
from verl_ext import summary

Series = tuple[np.ndarray, np.ndarray]
"""steps (S,) and finite values (S,)"""


@dataclass
class Run:
    """One run folder."""

    path: Path
    metrics: list[dict[str, Any]] = field(default_factory=list)
    """one record a step, ascending"""
    keys: set[str] = field(default_factory=set)
    """of all metrics"""
    validations: list[summary.Validation] = field(default_factory=list)
    """ascending by step"""
    summary: dict[str, Any] | None = None
    """None while no validation can be read"""
    config: dict[str, Any] = field(default_factory=dict)
    config_text: str = ""
    notices: list[str] = field(default_factory=list)
    """what is missing or was left out, for the reader"""
    label: str = ""
    """what pages call the run"""

    @property
    def last_step(self) -> int:
        """The newest step with metrics or a validation; 0 before the first."""
        return max([record["step"] for record in self.metrics] + [v.step for v in self.validations], default=0)

    @property
    def unfinished(self) -> int | None:
        """The steps that the run was to make, if it has not made them yet."""
        total = self.setting("trainer", "total_training_steps")
        return total if isinstance(total, int) and self.last_step < total else None

    def series(self, key: str) -> Series:
        """The steps at which metric `key` has a finite number, and these numbers."""
        points = [(record["step"], record.get(key)) for record in self.metrics]
        kept = [(step, float(v)) for step, v in points if isinstance(v, int | float) and math.isfinite(v)]
        steps, values = np.asarray(kept, dtype=float).reshape(-1, 2).T
        return steps, values

    def names(self, kind: str) -> list[str]:
        """Names under `kind` ("task", "category") with metrics or validation rows; the known categories in order."""
        # Names may hold slashes, as those of data sources do; every batch has rows of what it has metrics of.
        pattern = re.compile(rf"{kind}/(.+)/rows|val/{kind}/(.+)/accuracy")
        found = {match[1] or match[2] for key in self.keys if (match := pattern.fullmatch(key))}
        found |= {getattr(row, kind) for validation in self.validations for row in validation.rows.values()}
        known = [category for category in CATEGORIES if category in found]
        return known + sorted(found.difference(known))

    def category_of(self) -> dict[str, str]:
        """{task: category} as the validation rows tell; of other tasks as the registry does, if it knows them."""
        found = {row.task: row.category for validation in self.validations for row in validation.rows.values()}
        if unknown := set(self.names("task")).difference(found):
            from reward_fns.registry import TASKS  # half a second, for runs without validation rows alone

            found |= {name: TASKS[name].category for name in unknown if name in TASKS}
        return found

    def settings(self, task: str, category: str | None) -> dict[str, Any]:
        """The shaping settings of a task as `verl_ext.config` merges them (which imports torch: too slow for here)."""
        layers = (("defaults",), ("categories", category), ("tasks", task))
        return {key: value for path in layers for key, value in as_mapping(self.setting("verl_ext", *path)).items()}

    def setting(self, *path: str | None) -> Any:
        """The value at a path of config.yaml, or None."""
        tree: Any = self.config
        for key in path:
            tree = tree.get(key) if isinstance(tree, Mapping) else None
        return tree

    def responses(self, step: int) -> dict[str, float]:
        """Means over the rows of one validation: format, truncated, response_tokens, where the rows have them."""
        values: dict[str, list[float]] = {"format": [], "truncated": [], "response_tokens": []}
        for _, record in summary.read_jsonl(self.path / "validation" / f"{step}.jsonl"):
            for key, found in values.items():
                if isinstance(value := (record or {}).get(key), int | float) and math.isfinite(value):
                    found.append(float(value))
        return {key: float(np.mean(found)) for key, found in values.items() if found}

    def accuracy(self, kind: str, name: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Validation steps (V,), mean accuracy (V,) and its standard error (V,; 0 where it is not known).

        `kind` is task, category or "" (all rows). Without rows: as the metrics tell.
        """
        if not self.validations:
            key = f"val/{kind}/{name}/accuracy" if kind else "val/mean_accuracy"
            steps, means = self.series(key)
            return steps, means, np.zeros_like(means)
        points = []
        for validation in self.validations:
            accs = [row.acc for row in validation.rows.values() if not kind or getattr(row, kind) == name]
            if accs:
                stats = summary.stats(accs, None)
                points.append((validation.step, stats["acc_before"], stats["se_before"] or 0.0))
        steps, means, errors = np.asarray(points, dtype=float).reshape(-1, 3).T
        return steps, means, errors

    def ends(self) -> list[int]:
        """The steps of the first and the last validation, as far as there are two."""
        steps = [v.step for v in self.validations] or [int(step) for step in self.accuracy("", "")[0]]
        return steps[:1] + steps[1:][-1:]


def summary_of_metrics(run: Run) -> dict[str, Any] | None:
    """As `verl_ext.summary.compare` from the metrics `val/…`: no number of rows, no standard errors.

    Overall is the mean of the categories. None if the run has not logged any.
    """

    def stats(kind: str, name: str) -> summary.Stats | None:
        _, means, _ = run.accuracy(kind, name)
        if not means.size:
            return None
        blank = {"n": None, "se_before": None, "se_after": None, "se_diff": None}
        return blank | {"acc_before": means[0], "acc_after": means[-1] if means.size > 1 else None}

    overall = stats("", "")
    blocks = {
        block: {name: own for name in run.names(kind) if (own := stats(kind, name))}
        for kind, block in (("task", "tasks"), ("category", "categories"))
    }
    return {**blocks, "overall": overall} if overall else None


def load_run(path: Path) -> Run:
    """Read a run folder. ValueError if there is nothing of a run in it; anything less is a notice."""
    run = Run(path, label=path.resolve().name)
    with _warnings_as(run.notices):
        _load_metrics(run)
        _load_validations(run)
        _load_config(run)
    if run.summary is None and not run.validations and (found := summary_of_metrics(run)):
        run.summary = found
        run.notices.append("Accuracy on validation is that of the metrics: without standard errors and examples.")
    if not run.metrics and not run.validations:
        raise ValueError(f"{path}: nothing to show in metrics.jsonl or validation/<step>.jsonl; is it a run folder?")
    return run


def _load_metrics(run: Run) -> None:
    path = run.path / "metrics.jsonl"
    if not path.is_file():
        run.notices.append("metrics.jsonl is not there yet: no training curves.")
        return
    steps: dict[int, dict[str, Any]] = {}
    bad = []
    for number, record in summary.read_jsonl(path):
        if record is None or not isinstance(record.get("step"), int):
            bad.append(number)
        else:
            steps[record["step"]] = record
    if bad:
        lines = ", ".join(map(str, bad[:5])) + (" …" if len(bad) > 5 else "")
        run.notices.append(f"metrics.jsonl: {len(bad)} line(s) cut off or without a step, left out (line {lines}).")
    run.metrics = [steps[step] for step in sorted(steps)]
    run.keys = set().union(*run.metrics)
    if not run.names("task"):
        run.notices.append("metrics.jsonl has no step with figures per task yet: no training curves.")


def _load_validations(run: Run) -> None:
    try:
        files = summary.validation_files(run.path)
    except ValueError:
        run.notices.append("No validation yet: no accuracy before and after.")
        return
    for path in files.values():
        try:
            validation = summary.load_validation(path)
        except (ValueError, OSError) as error:
            run.notices.append(str(error))
            continue
        if validation.rows:
            run.validations.append(validation)
    if not run.validations:
        return
    before, after = run.validations[0], run.validations[-1] if len(run.validations) > 1 else None
    if after is None:
        run.notices.append(f"Only the validation of step {before.step} is there: nothing to compare it with yet.")
    try:
        run.summary = summary.compare(before, after)
    except ValueError as error:
        run.notices.append(f"Before and after cannot be compared: {error}")


def _load_config(run: Run) -> None:
    path = run.path / "config.yaml"
    try:
        run.config_text = path.read_text(encoding="utf-8", errors="replace")
        run.config = as_mapping(yaml.safe_load(run.config_text))
    except OSError:
        run.notices.append("config.yaml is not there: no settings, envelopes, entropy bands or images.")
    except yaml.YAMLError as error:
        run.notices.append(f"config.yaml cannot be read: {error}")


def as_mapping(value: Any) -> dict[str, Any]:
    """`value` if it is a mapping, else an empty one."""
    return dict(value) if isinstance(value, Mapping) else {}


def bounds(value: Any, count: int) -> list[float] | None:
    """`value` if it is a list of `count` ascending numbers, else None (no envelope, no band)."""
    if not isinstance(value, list) or len(value) != count:
        return None
    if not all(isinstance(each, int | float) and math.isfinite(each) for each in value) or value != sorted(value):
        return None
    return [float(each) for each in value]


class _Collect(logging.Handler):
    def __init__(self, into: list[str]) -> None:
        super().__init__(logging.WARNING)
        self.into = into

    def emit(self, record: logging.LogRecord) -> None:
        self.into.append(record.getMessage())


@contextmanager
def _warnings_as(notices: list[str]) -> Iterator[None]:
    """The warnings of `verl_ext.summary` go to the page."""
    handler = _Collect(notices)
    summary.log.addHandler(handler)
    try:
        yield
    finally:
        summary.log.removeHandler(handler)
