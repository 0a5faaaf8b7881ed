"""verl's custom reward hook: rewards that spoil one task. Does another task suffer, does the entropy band hold?

Only `score` is spoilt, by which training goes; `accuracy` and the other parts stay true.
"""

from __future__ import annotations

import hashlib
import re
import threading
from collections import Counter, deque
from typing import Any

from reward_fns.score import compute_score

TASK = "digit_sum"
SCALE = 10.0
ENTROPY_TASK = "point_to"
"""Starts inside the band (0.35 nats), and without shaping stays there."""
RECENT = 128
"""Responses of the task that `exploding` compares a response with: some ten steps' worth."""
LEAST_WORDS = 4
"""Of a response that `exploding` pays: to answer nothing would stay rare for ever."""
_recent: deque[frozenset[str]] = deque(maxlen=RECENT)
_seen: Counter[str] = Counter()
_lock = threading.Lock()


def scaled(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """The task's reward counts ten times."""
    result = compute_score(data_source, solution_str, ground_truth, extra_info)
    return result | {"score": result["score"] * (SCALE if result["task"] == TASK else 1.0)}


def outliers(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """Heavy tails: one response of the task in twenty has its reward times twenty, by a hash of its text."""
    result = compute_score(data_source, solution_str, ground_truth, extra_info)
    chosen = hashlib.sha256(f"{data_source} {ground_truth} {solution_str}".encode()).digest()[0] < 256 / 20
    return result | {"score": result["score"] * (20.0 if result["task"] == TASK and chosen else 1.0)}


def collapsing(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """The entropy task's answers are paid by their nearness to one constant, the middle, whatever the picture shows."""
    result = compute_score(data_source, solution_str, ground_truth, extra_info)
    return result | ({"score": nearness(solution_str)} if result["task"] == ENTROPY_TASK else {})


def exploding(data_source: str, solution_str: str, ground_truth: Any, extra_info: Any = None) -> dict[str, Any]:
    """The entropy task's responses are paid by how rare their words are among the last ones: no fixed text stays good.

    The memory is that of the process that judges, so use one reward worker; a resumed run starts it anew.
    """
    result = compute_score(data_source, solution_str, ground_truth, extra_info)
    return result | ({"score": rarity(solution_str)} if result["task"] == ENTROPY_TASK else {})


def nearness(text: str) -> float:
    """Mean over the answer's numbers of 1 at 500, falling linearly to 0 at 0 and 1000; 0 without numbers."""
    numbers = [int(number) for number in re.findall(r"\d{1,6}", text.rpartition("<answer>")[2])]
    # The 2 of "point_2d" is in every answer.
    numbers = [number for number in numbers if number != 2]
    return sum(max(0.0, 1 - abs(number - 500) / 500) for number in numbers) / len(numbers) if numbers else 0.0


def rarity(text: str) -> float:
    """1 minus the mean share of the last RECENT responses in which the text's words occur; then it is one of them.

    0 for fewer than LEAST_WORDS different words.
    """
    words = frozenset(re.findall(r"\w+", text))
    with _lock:
        share = sum(_seen[word] for word in words) / (max(len(words), 1) * max(len(_recent), 1))
        if len(_recent) == RECENT:
            _seen.subtract(_recent[0])
        _recent.append(words)
        _seen.update(words)
    return 1 - share if len(words) >= LEAST_WORDS else 0.0


def forget() -> None:
    """An empty memory for `exploding`."""
    with _lock:
        _recent.clear()
        _seen.clear()
