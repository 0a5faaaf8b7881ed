"""Validation metrics per task and category: `val/task/<task>/accuracy`, `val/category/<category>/accuracy`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any


def validation_metrics(results: Mapping[str, Sequence[Any]]) -> dict[str, float]:
    """Mean of `acc` (the benchmark authors' rule) over verifiable rows, per task, per category, and the mean over
    categories, from the lists of the reward's results (one entry a response). Rows whose reward failed are left out and
    counted in `val/failed_rows`."""
    accuracies: dict[str, list[float]] = defaultdict(list)
    failed = unverifiable = 0
    names = ("task", "category", "acc", "verifiable")
    rows = zip(*(results.get(name, []) for name in names), strict=True)
    for task, category, acc, verifiable in rows:
        if task is None or acc is None:
            failed += 1
        elif not verifiable:
            unverifiable += 1
        else:
            accuracies[f"task/{task}"].append(float(acc))
            accuracies[f"category/{category}"].append(float(acc))
    means = {name: sum(values) / len(values) for name, values in accuracies.items()}
    categories = [value for name, value in means.items() if name.startswith("category/")]
    metrics = {f"val/{name}/accuracy": value for name, value in means.items()}
    metrics |= {"val/failed_rows": float(failed), "val/unverifiable_rows": float(unverifiable)}
    if categories:
        metrics["val/mean_accuracy"] = sum(categories) / len(categories)
    return metrics
