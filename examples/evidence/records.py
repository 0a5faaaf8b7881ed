"""Stored runs: `results/<arm>-<seed>.json.gz`, written by grid.py; and what tables and figures read of them."""

from __future__ import annotations

import functools
import gzip
import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from reward_fns.registry import resolve_task

sys.path.insert(0, str(Path(__file__).parent))
from arms import ARMS

RESULTS = Path(__file__).parent / "results"
RECIPE = Path(__file__).parents[2] / "verl_ext" / "configs" / "recipe" / "quickstart.yaml"
DEFAULT_BAND = (0.2, 0.6)
LAST = 10
"""Steps at the end of a run over which figures are averaged."""
WINDOW = 20
"""Steps over which the accuracy of rollouts is smoothed."""
RESUME = ("trainer.val_before_train",)
"""Keys that the quickstart sets otherwise where it resumes a run."""
Record = dict[str, Any]
Runs = Mapping[str, list[Record]]
"""By arm, in the order of the arms, each by seed."""


def write(path: Path, record: Record) -> None:
    """Whole or not there. Without a name and a time in the header, the same run gives the same bytes."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(json.dumps(record).encode())
    part.replace(path)


def read(path: Path) -> Record:
    return json.loads(gzip.decompress(path.read_bytes()))


def load(results: Path = RESULTS) -> dict[str, list[Record]]:
    found = {}
    for arm in ARMS:
        stored = [read(path) for path in results.glob(f"{arm}-[0-9]*.json.gz")]
        if stored:
            found[arm] = sorted(stored, key=lambda one: one["seed"])
    return found


def task_of(row: str) -> str:
    """Of a validation row's name, `offline/<task>/<index>`."""
    return row.split("/")[1]


def category_of(task: str) -> str:
    return resolve_task(f"offline/{task}", {"task": task}).category


def accuracies(record: Record, tasks: Iterable[str] | None = None) -> tuple[dict[str, float], dict[str, float]]:
    """Verdicts of the first and the last validation by row, of some tasks or of all."""
    steps = sorted(record["validation"], key=int)
    wanted = None if tasks is None else set(tasks)
    before, after = (
        {name: acc for name, acc in record["validation"][step].items() if wanted is None or task_of(name) in wanted}
        for step in (steps[0], steps[-1])
    )
    return before, after


def start_of(record: Record) -> tuple[int, str | None, int]:
    """Runs compare where this is the same: seed (order of the data, sampling), hash of the starting weights, steps."""
    return record["seed"], record.get("model"), record["steps"]


def pairs_of(runs: Runs, arm: str, other: str) -> list[tuple[Record, Record]]:
    """A run of `other` and one of `arm` for every start that both have."""
    base = {start_of(one): one for one in runs.get(other, [])}
    return [(base[start_of(one)], one) for one in runs[arm] if start_of(one) in base]


def against(runs: Runs, arm: str, other: str, tasks: Iterable[str] | None = None) -> list[tuple[dict, dict]]:
    """Last verdicts of `other` and of `arm`, a pair for every start that both have."""
    return [(accuracies(a, tasks)[1], accuracies(b, tasks)[1]) for a, b in pairs_of(runs, arm, other)]


def settings_of(config: Mapping[str, Any], path: str = "") -> dict[str, Any]:
    """Values of a run's configuration by full key, without those that hold a path, and what a resume changes."""
    found: dict[str, Any] = {}
    for key, value in config.items():
        name = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping) and value:
            found |= settings_of(value, name)
        elif "/" not in str(value) and name not in RESUME:
            found[name] = value
    return found


def unlike(one: Record, other: Record) -> list[str]:
    """Keys in which two runs' configurations differ, but for what their arms set, and what follows by the same name.

    None where one of them was stored without its configuration; but their first validations must agree in any case.
    """
    if accuracies(one)[0] != accuracies(other)[0]:
        return ["first validation"]
    a, b = one.get("config"), other.get("config")
    if a is None or b is None:
        return []
    chosen = [name.lstrip("+~").split("=")[0] for name in (*one["overrides"], *other["overrides"])]
    leaves = {name.rpartition(".")[2] for name in chosen}
    differ = (key for key in sorted(a.keys() | b.keys()) if key not in a or key not in b or a[key] != b[key])
    own = tuple(f"{name}." for name in chosen)
    return [key for key in differ if not f"{key}.".startswith(own) and key.rpartition(".")[2] not in leaves]


def steps_of(record: Record) -> list[dict[str, Any]]:
    return [entry for entry in record["metrics"] if entry["step"] > 0]


def series(record: Record, key: str) -> list[float]:
    """A metric at every step; NaN where the step has none."""
    found = [entry.get(key) for entry in steps_of(record)]
    return [np.nan if value is None else float(value) for value in found]


def mean_of(record: Record, key: str, last: int | None = None) -> float:
    """Mean of a metric over the last steps, or over all; NaN where no step has it."""
    own = series(record, key)
    known = [value for value in (own if last is None else own[-last:]) if np.isfinite(value)]
    return float(np.mean(known)) if known else float("nan")


@functools.cache
def band_of(task: str) -> tuple[float, float]:
    """Of the quickstart's recipe; a run made with other bands, or with none, is held against them too."""
    tasks = yaml.safe_load(RECIPE.read_text())["verl_ext"].get("tasks", {})
    low, high = tasks.get(task, {}).get("entropy_band", DEFAULT_BAND)
    return low, high


def inside_bands(record: Record, tasks: Iterable[str], last: int | None = None) -> float:
    """Share of the steps with the task in the batch, mean of the tasks; steps at the end, or all."""
    shares = []
    for task in tasks:
        low, high = band_of(task)
        steps = series(record, f"task/{task}/entropy")
        own = [value for value in (steps if last is None else steps[-last:]) if np.isfinite(value)]
        shares += [np.mean([low <= value <= high for value in own])] if own else []
    return float(np.mean(shares)) if shares else float("nan")


def outside_bands(record: Record, tasks: Iterable[str], last: int | None = None) -> float:
    """Mean over tasks and steps of how far the entropy is beyond the edge of the band, over the edge; 0 inside."""
    distances = []
    for task in tasks:
        low, high = band_of(task)
        own = np.array(series(record, f"task/{task}/entropy")[-(last or 0) :])
        own = own[np.isfinite(own)]
        beyond = np.maximum(low - own, 0) / low + np.maximum(own - high, 0) / high
        distances += [beyond.mean()] if len(own) else []
    return float(np.mean(distances)) if distances else float("nan")


def token_entropy(record: Record) -> list[float]:
    """Mean token entropy of the batch at every step; verl's `actor/entropy` averages as the run's loss does."""
    tasks = record["summary"]["tasks"]
    parts = np.array(
        [np.multiply(*(series(record, f"task/{task}/{key}") for key in ("entropy", "token_share"))) for task in tasks]
    )
    return list(np.where(np.isfinite(parts).any(0), np.nansum(parts, axis=0), np.nan))


def learning(record: Record) -> np.ndarray:
    """Accuracy of the training rollouts, mean of the tasks, each over all its responses in the last WINDOW steps.

    The first value is that of step WINDOW. A window holds some 27 prompts of a task: chance moves it by 2 to 3 points.
    """
    entries = steps_of(record)
    tasks = sorted({key.split("/")[1] for entry in entries for key in entry if key.startswith("task/")})
    rows = np.array([[entry.get(f"task/{task}/rows") or 0.0 for task in tasks] for entry in entries])
    right = rows * [[entry.get(f"task/{task}/accuracy") or 0.0 for task in tasks] for entry in entries]
    window = min(WINDOW, len(entries))
    ones = np.ones(window)
    sums = [np.stack([np.convolve(one, ones, "valid") for one in both.T], 1) for both in (right, rows)]
    return np.nanmean(np.where(sums[1] > 0, sums[0] / np.maximum(sums[1], 1), np.nan), axis=1)


def reached(record: Record, goal: float) -> int | None:
    """First step at which `learning` is at the goal."""
    hits = np.flatnonzero(learning(record) >= goal)
    return int(hits[0]) + min(WINDOW, len(steps_of(record))) if len(hits) else None
