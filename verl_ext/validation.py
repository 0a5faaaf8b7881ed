"""Validation metrics per task and category: `val/task/<task>/accuracy`, `val/category/<category>/accuracy`."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any


def validation_metrics(results: Mapping[str, Sequence[Any]], *, expected: int) -> dict[str, float]:
    """Mean of `acc` (the benchmark authors' rule) over verifiable rows, per task, per category, and the mean over
    categories, from the lists of the reward's results (one entry a response that came back).

    `val/failed_rows` counts those of the `expected` responses that did not come back: a failure of ours is no wrong
    answer. verl's own `val-core/.../acc` counts them as 0. Raises KeyError where the reward function returns no task,
    category or acc.
    """
    missing = [name for name in ("task", "category", "acc") if name not in results]
    if missing:
        raise KeyError(
            f"the reward's results have no {', '.join(missing)}: set reward.reward_manager.name=verl_ext, or return "
            "them from your reward function"
        )
    accuracies: dict[str, list[float]] = defaultdict(list)
    unverifiable = 0
    judged = results.get("verifiable", [True] * len(results["task"]))
    rows = zip(results["task"], results["category"], results["acc"], judged, strict=True)
    for task, category, acc, verifiable in rows:
        if not verifiable:
            unverifiable += 1
        else:
            accuracies[f"task/{task}"].append(float(acc))
            accuracies[f"category/{category}"].append(float(acc))
    means = {name: sum(values) / len(values) for name, values in accuracies.items()}
    categories = [value for name, value in means.items() if name.startswith("category/")]
    metrics = {f"val/{name}/accuracy": value for name, value in means.items()}
    failed = expected - len(results["task"])
    metrics |= {"val/failed_rows": float(failed), "val/unverifiable_rows": float(unverifiable)}
    if categories:
        metrics["val/mean_accuracy"] = sum(categories) / len(categories)
    return metrics
