"""What a step learns from its batch for the next ones: envelopes that follow lengths, entropy coefficients.

Both live in the trainer's memory, which its checkpoints keep. Rewards are computed in other processes, which do not
know the envelopes in force: for tasks with `envelope_mode: auto` the driver composes the score again from the parts
that came back, with the function that `compute_score` uses, and puts it in their place. Validation keeps the static
envelope.
"""

from __future__ import annotations

import dataclasses
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

from reward_fns.score import RIGHT, compose
from reward_fns.settings import Envelope, RewardSettings
from verl_ext import auto_envelope, batch_labels, batch_rows, entropy_control
from verl_ext.config import Settings, TaskSettings

ENVELOPES, DUALS = "envelopes", "entropy_dual"
"""Names in the trainer's memory."""
_PARTS = ("task", "category", "accuracy", "format", "structure", "length_tokens", "truncated")


def move_envelopes(batch: Any, settings: Settings, memory: dict[str, Any]) -> dict[str, float]:
    """Judge the batch under the envelopes in force, put its scores into the queue, then let its correct lengths in.

    Returns `task/<task>/envelope/<bound>` in tokens: the envelopes that the batch was judged by.
    """
    results = batch_rows.fetch_results(batch, *_PARTS)
    category_of = {result["task"]: result["category"] for result in results}
    tasks = {task: settings.for_task(task, category) for task, category in category_of.items()}
    moving = {task: own.reward.envelope for task, own in tasks.items() if own.envelope_mode == "auto"}
    static = {task: envelope for task, envelope in moving.items() if envelope is not None}
    state = memory.get(ENVELOPES, {})
    force = {task: auto_envelope.envelope_of(state, task, envelope) for task, envelope in static.items()}
    judged = [_rescored(result, tasks[result["task"]].reward, force.get(result["task"])) for result in results]
    if judged != results:
        batch_rows.put_results(batch, judged)
    memory[ENVELOPES] = auto_envelope.observe(state, _correct(batch, results), static, settings.auto_envelope)
    return {
        f"task/{task}/envelope/{name}": float(bound)
        for task, envelope in force.items()
        for name, bound in zip(auto_envelope.BOUNDS, dataclasses.astuple(envelope), strict=True)
    }


def entropy_coefficients(
    tasks: Mapping[str, TaskSettings],
    entropy_K: Sequence[float],
    dual: entropy_control.DualSettings,
    memory: dict[str, Any],
    *,
    step: int,
) -> list[float]:
    """Coefficient of each task in a step (from 1), in the order of `tasks`; 0 for a task that has no term.

    Controlled tasks take their entropy in before it acts.
    """
    duals = dict(memory.get(DUALS, {}))
    coefficients = []
    for (task, own), entropy in zip(tasks.items(), entropy_K, strict=True):
        band, coefficient = own.entropy_band, own.entropy_coeff
        if band is None:
            coefficient = 0.0
        elif own.entropy_control == "dual" and coefficient > 0:
            duals[task] = entropy_control.update(duals.get(task), entropy, band, start=coefficient, settings=dual)
            coefficient = entropy_control.coefficient(duals[task], entropy, band)
        coefficients.append(coefficient * entropy_control.ramp(step, own.entropy_warmup_steps))
    if duals:
        memory[DUALS] = duals
    return coefficients


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
    """Lengths of the correct responses by task; a length at the limit is none."""
    counts = batch_rows.valid_rows(batch) & batch_labels.sessions(batch.keys)[1]
    lengths: dict[str, list[int]] = defaultdict(list)
    for result, own in zip(results, counts, strict=True):
        if own and result["accuracy"] >= RIGHT and not result["truncated"] and result["length_tokens"] >= 0:
            lengths[result["task"]].append(int(result["length_tokens"]))
    return lengths
