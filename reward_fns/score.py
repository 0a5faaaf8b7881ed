"""The reward of one response, in three lines: extract the answer, verify it, compose the parts."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from .extract import Extraction, extract
from .format import format_ok
from .length import envelope_value
from .registry import UNVERIFIABLE_SUFFIX, Task, resolve_task, verify
from .settings import RewardSettings
from .verdict import MAX_ANSWER_CHARS, MAX_RESPONSE_CHARS, Verdict, VerifierError, wrong

RIGHT = 0.5
_DEFAULTS = RewardSettings()


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: Any,
    extra_info: Mapping[str, Any] | None = None,
    *,
    settings: RewardSettings | None = None,
) -> dict[str, Any]:
    """verl's reward signature. The same keys for every task; `score` is what training optimises:

        score = (1 - w_f - w_l) * accuracy + w_f * format + w_l * length   (+ w_s * structure where the answer is JSON)

    - accuracy: the hardened reward of the answer, 0 without a valid answer block; `acc` is the official figure, which
      then judges the text after the last closing thinking tag.
    - length: the envelope's value at the counted tokens: `extra_info["response_tokens"]` or, by the setting
      `length_scope`, `extra_info["thinking_tokens"]`; 0 where accuracy < 0.5 unless the gate says otherwise, and 0 for
      truncated responses. Without a token count or an envelope its weight goes to accuracy. Unknown counts are -1.
    - structure: share of the JSON that is right, 0 where the format is wrong.
    - verifiable: False where no rule can decide; then acc and accuracy are 0 and must be left out of means.

    Raises ValueError for an unknown task and VerifierError, naming the row, where the verifier or the row is at fault.
    """
    settings, extra = settings or _DEFAULTS, extra_info or {}
    task = resolve_task(data_source, extra)
    if not isinstance(solution_str, str):
        raise TypeError(f"solution_str must be a text, got {type(solution_str).__name__}")
    found = extract(solution_str) if len(solution_str) <= MAX_RESPONSE_CHARS else None
    try:
        info = {**_info_of(extra), "verify_timeout": settings.verify_timeout}
        verdict = _judge(task, found, ground_truth, info)
        structure = _structure(task, found, ground_truth, info)
    except Exception as error:
        row = f"row {extra.get('index', '?')} of {data_source}"
        raise VerifierError(f"task {task.name}, {row}: {type(error).__name__}: {error}") from error
    well_formed = found is not None and format_ok(solution_str, settings.thinking_tag)
    if data_source.endswith(UNVERIFIABLE_SUFFIX):
        verdict = Verdict(None, 0.0, verdict.parsed, "the row is marked as unverifiable")
    return _result(task, verdict, well_formed, structure if well_formed else 0.0, settings, extra)


def _judge(task: Task, found: Extraction | None, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Without an answer block the reward is 0 and only `official` is judged."""
    if found is None:
        return wrong(f"response over {MAX_RESPONSE_CHARS} characters")
    if found.answer is not None:
        return verify(task, found.answer, ground_truth, info)
    judged = verify(task, found.tail, ground_truth, info)
    return wrong("no answer block", judged.parsed, official=judged.official)


def _structure(task: Task, found: Extraction | None, ground_truth: Any, info: Mapping[str, Any]) -> float:
    if not task.structure or found is None or found.answer is None or len(found.answer) > MAX_ANSWER_CHARS:
        return 0.0
    return task.structure(found.answer, ground_truth, info)


def compose(
    *,
    accuracy: float,
    well_formed: float,
    structure: float,
    tokens: float | None,
    truncated: bool,
    settings: RewardSettings,
) -> tuple[float, float]:
    """(score, its length part) from the other parts: the formula of `compute_score`.

    `structure` is 0 for a task whose answer is no JSON. Without tokens (None) or an envelope the weight of the length
    part goes to accuracy.
    """
    length_weight, length = 0.0, 0.0
    if settings.envelope and tokens is not None:
        length_weight = settings.length_weight
        if _earns_length(accuracy, truncated, settings):
            length = envelope_value(tokens, settings.envelope)
    score = (1 - settings.format_weight - length_weight) * accuracy
    score += settings.format_weight * well_formed + length_weight * length
    return score + settings.structure_weight * structure, length


def _earns_length(accuracy: float, truncated: bool, settings: RewardSettings) -> bool:
    if truncated and not settings.length_of_truncated:
        return False
    return {"correct": accuracy >= RIGHT, "positive": accuracy > 0, "always": True}[settings.length_gate]


def _result(
    task: Task,
    verdict: Verdict,
    well_formed: bool,
    structure: float,
    settings: RewardSettings,
    extra: Mapping[str, Any],
) -> dict[str, Any]:
    accuracy = 0.0 if verdict.official is None else verdict.reward
    truncated = bool(extra.get("truncated", False))
    tokens = extra.get("response_tokens")
    counted = tokens if settings.length_scope == "response" else extra.get("thinking_tokens")
    score, length = compose(
        accuracy=accuracy,
        well_formed=well_formed,
        structure=structure,
        tokens=counted,
        truncated=truncated,
        settings=settings,
    )
    return {
        "score": score,
        "acc": float(verdict.official or 0.0),
        "accuracy": float(accuracy),
        "format": float(well_formed),
        "structure": float(structure),
        "length": float(length),
        "response_tokens": float(-1 if tokens is None else tokens),
        "truncated": truncated,
        "verifiable": verdict.official is not None,
        "task": task.name,
        "category": str(extra.get("category") or task.category),
    }


def _info_of(extra: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the verifier may know of the row: `info` (JSON text or object) over the flat keys of `extra_info`."""
    info = extra.get("info")
    if isinstance(info, str):
        info = json.loads(info)
    if info is not None and not isinstance(info, Mapping):
        raise ValueError(f"extra_info.info must be an object or its JSON text, got {str(info)[:80]!r}")
    return {**extra, **(info or {})}
