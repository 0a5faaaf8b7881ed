"""What a step learns from its batch for the next ones: envelopes that follow lengths, entropy coefficients.

Both live in the trainer's memory, which its checkpoints keep. Rewards are computed in other processes, which do not
know the envelopes in force: for tasks with `envelope_mode: auto` the driver composes the score again from the parts
that came back, with the function that `compute_score` uses, and puts it in their place. Validation keeps the static
envelope.

Rows of one task can lie in several categories, whose settings differ: state and settings are those of a pair (task,
category), metrics those of a task, the mean over its categories in the batch.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from reward_fns.score import RIGHT, compose
from reward_fns.settings import Envelope, RewardSettings
from verl_ext import auto_envelope, batch_labels, batch_rows, entropy_control
from verl_ext.config import Settings, TaskSettings

ENVELOPES, DUALS = "envelopes", "entropy_dual"
"""Names in the trainer's memory."""
Pair = tuple[str, str]
"""Task and category."""
_PARTS = ("task", "category", "accuracy", "format", "structure", "length_tokens", "truncated")


def move_envelopes(batch: Any, settings: Settings, memory: dict[str, Any]) -> dict[str, float]:
    """Judge the batch under the envelopes in force, put its scores into the queue, then let its correct lengths in.

    Returns `task/<task>/envelope/<bound>` in tokens: the envelopes that the batch was judged by.
    """
    results = batch_rows.fetch_results(batch, *_PARTS)
    tasks = {_pair(result): settings.for_task(*_pair(result)) for result in results}
    moving = {pair: own.reward.envelope for pair, own in tasks.items() if own.envelope_mode == "auto"}
    static = {name(pair): envelope for pair, envelope in moving.items() if envelope is not None}
    state = memory.get(ENVELOPES, {})
    force = {key: auto_envelope.envelope_of(state, key, envelope) for key, envelope in static.items()}
    judged = [_rescored(result, tasks[_pair(result)].reward, force.get(name(_pair(result)))) for result in results]
    if judged != results:
        batch_rows.put_results(batch, judged)
    memory[ENVELOPES] = auto_envelope.observe(state, _correct(batch, results), static, settings.auto_envelope)
    return {
        metric: value
        for at, bound in enumerate(auto_envelope.BOUNDS)
        for metric, value in task_means(
            {pair: dataclasses.astuple(force[name(pair)])[at] for pair in tasks if name(pair) in force},
            f"envelope/{bound}",
        ).items()
    }


def entropy_coefficients(
    tasks: Mapping[Pair, TaskSettings],
    entropy_K: Sequence[float],
    tokens_K: Sequence[float],
    dual: entropy_control.DualSettings,
    memory: dict[str, Any],
    *,
    step: int,
) -> list[float]:
    """Coefficient of each pair in a step (from 1), in the order of `tasks`; 0 for one that has no term.

    Controlled ones take their entropy in before it acts; one without tokens, all rejected, has none.
    """
    duals = dict(memory.get(DUALS, {}))
    coefficients = []
    for (pair, own), entropy, tokens in zip(tasks.items(), entropy_K, tokens_K, strict=True):
        band, coefficient = own.entropy_band, own.entropy_coeff
        if band is None or tokens == 0:
            coefficient = 0.0
        elif own.entropy_control == "dual" and coefficient > 0:
            key = name(pair)
            duals[key] = entropy_control.update(duals.get(key), entropy, band, start=coefficient, settings=dual)
            coefficient = entropy_control.coefficient(duals[key], entropy, band)
        coefficients.append(coefficient * entropy_control.ramp(step, own.entropy_warmup_steps))
    if duals:
        memory[DUALS] = duals
    return coefficients


def name(pair: Pair) -> str:
    """Name of a pair in the memory."""
    return "/".join(pair)


def task_means(values: Mapping[Pair, float], metric: str) -> dict[str, float]:
    """`task/<task>/<metric>`: means over the categories of each task."""
    found: dict[str, list[float]] = defaultdict(list)
    for (task, _category), value in values.items():
        found[f"task/{task}/{metric}"].append(value)
    return {path: float(np.mean(own)) for path, own in found.items()}


def _pair(result: Mapping[str, Any]) -> Pair:
    return result["task"], result["category"]


def _rescored(result: dict[str, Any], settings: RewardSettings, envelope: Envelope | None) -> dict[str, Any]:
    if envelope is None:
        return result
    score, length = compose(
        accuracy=result["accuracy"],
        well_formed=result["format"],
        structure=result["structure"],
        tokens=result["length_tokens"] if result["length_tokens"] >= 0 else None,
        truncated=result["truncated"],
        settings=dataclasses.replace(settings, envelope=envelope),
    )
    return result | {"score": score, "length": length}


def _correct(batch: Any, results: Sequence[Mapping[str, Any]]) -> dict[str, list[int]]:
    """Lengths of the correct responses by pair; a length at the limit is none."""
    counts = batch_rows.valid_rows(batch) & batch_labels.sessions(batch.keys)[1]
    lengths: dict[str, list[int]] = defaultdict(list)
    for result, own in zip(results, counts, strict=True):
        if own and result["accuracy"] >= RIGHT and not result["truncated"] and result["length_tokens"] >= 0:
            lengths[name(_pair(result))].append(int(result["length_tokens"]))
    return lengths
