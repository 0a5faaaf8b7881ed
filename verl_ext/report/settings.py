"""What was set: the headline's settings, the shaping of every task, and what differs between runs."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from verl_ext.report.run import Run, bounds

SETTINGS = {
    "Model": "actor_rollout_ref.model.path",
    "Advantages": "algorithm.adv_estimator",
    "Zero-signal groups": "algorithm.g2rpo.zero_signal",
    "Prompts per step": "data.train_batch_size",
    "Responses per prompt": "actor_rollout_ref.rollout.n",
    "Mini-batch, prompts": "actor_rollout_ref.actor.ppo_mini_batch_size",
    "Learning rate": "actor_rollout_ref.actor.optim.lr",
    "Loss aggregation": "actor_rollout_ref.actor.loss_agg_mode",
    "Temperature": "actor_rollout_ref.rollout.temperature",
    "Longest response, tokens": "data.max_response_length",
    "Training data": "data.train_files",
    "Validation data": "data.val_files",
}
WEIGHTS = ("format_weight", "length_weight", "structure_weight")


@dataclass(frozen=True)
class Differences:
    """Keys whose value is not the same in all runs that have a config."""

    rows: list[tuple[str, list[str | None]]]
    """key and its value in each run; None where it is not set or the run has no config"""
    same: int
    """how many keys have the same value in all"""


def headline(run: Run) -> list[tuple[str, Any]]:
    """The settings that a reader looks for first, as far as they are set."""
    return [(label, value) for label, key in SETTINGS.items() if (value := run.setting(*key.split("."))) is not None]


def per_task(run: Run) -> list[dict[str, Any]]:
    """The merged shaping settings of every task."""
    if not isinstance(run.setting("verl_ext"), dict):
        return []
    category_of = run.category_of()
    rows = []
    for task in run.names("task"):
        settings = run.settings(task, category_of.get(task))
        envelope = bounds(settings.get("envelope"), 4)
        band = bounds(settings.get("entropy_band"), 2)
        rows.append({
            "task": task,
            "envelope": " · ".join(f"{each:,.0f}" for each in envelope) if envelope else "none",
            "band": " to ".join(f"{each:g}" for each in band) if band else "none",
            "coeff": settings.get("entropy_coeff", ""),
            "weights": " · ".join(str(settings.get(key, "")) for key in WEIGHTS),
        })  # fmt: skip
    return rows


def differences(runs: Sequence[Run]) -> Differences:
    """Runs' own folders inside of values (checkpoints, validation rows) are written as RUN: they always differ."""
    configs = [_texts(run) for run in runs]
    known = [config for config in configs if config]
    keys = sorted(set().union(*known))
    rows = [(key, [config.get(key) for config in configs]) for key in keys if len({c.get(key) for c in known}) > 1]
    return Differences(rows, len(keys) - len(rows))


def _texts(run: Run) -> dict[str, str]:
    folder = run.setting("verl_ext", "run_dir")
    own = folder.rstrip("/") if isinstance(folder, str) else ""

    def text(value: Any) -> str:
        shown = value if isinstance(value, str) else json.dumps(value, default=str)
        return shown.replace(own, "RUN") if own else shown

    return {key: text(value) for key, value in _flat(run.config, "")}


def _flat(tree: Mapping[Any, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        if isinstance(value, Mapping) and value:
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value
