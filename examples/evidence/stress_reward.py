"""verl's custom reward hook: rewards that spoil one task, `digit_sum`. Does another task suffer?"""

from __future__ import annotations

import hashlib
from typing import Any

from reward_fns.score import compute_score

TASK = "digit_sum"
SCALE = 10.0


def scaled(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """The task's reward counts ten times."""
    result = compute_score(data_source, solution_str, ground_truth, extra_info)
    return result | {"score": result["score"] * (SCALE if result["task"] == TASK else 1.0)}


def outliers(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """Heavy tails: one response of the task in twenty has its reward times twenty, by a hash of its text."""
    result = compute_score(data_source, solution_str, ground_truth, extra_info)
    chosen = hashlib.sha256(f"{data_source} {ground_truth} {solution_str}".encode()).digest()[0] < 256 / 20
    return result | {"score": result["score"] * (20.0 if result["task"] == TASK and chosen else 1.0)}
