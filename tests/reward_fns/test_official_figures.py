"""Figures that the benchmarks' own code gave for single answers, beyond the tables of each verifier's test."""

from __future__ import annotations

from typing import Any

import pytest

from reward_fns.registry import verify

FIGURES: list[tuple[str, str, Any, dict[str, Any], float]] = [
    # task, answer, truth, info, official
    ("mmmu", "<answer>B</answer>", "B", {"choices": {"A": "a", "B": "bb", "C": "cc", "D": "dd"}}, 0),
    ("mmmu", "1 2 3 4 5 6 7 8 9 10", ["7"], {"question_type": "open"}, 1),
    ("mmmu", "50%", ["0.5"], {"question_type": "open"}, 0),
    ("mmmu", "1/2", ["0.5"], {"question_type": "open"}, 0),
    ("mmbench", "The answer is not B.", "B", {"choices": {"A": "a", "B": "bb", "C": "cc", "D": "dd"}}, 1),
    ("mmstar", "Below", "B", {"choices": {"A": "a", "B": "bb", "C": "cc", "D": "dd"}}, 1),
    ("mmstar", "b", "B", {"choices": {"A": "a", "B": "bb", "C": "cc", "D": "dd"}}, 1),
    ("embspatial", "The answer is B", "B", {"choices": {"A": "a", "B": "bb", "C": "cc", "D": "dd"}}, 1),
    ("mathvista", "14.9", "14", {"question_type": "free_form", "answer_type": "integer"}, 1),
    ("mathvista", "0.65", "0.7", {"question_type": "free_form", "answer_type": "float", "precision": 1.0}, 1),
    ("mathvista", "1.5", "1.50", {"question_type": "free_form", "answer_type": "float", "precision": 2.0}, 0),
    ("mathvista", "", "left", {"question_type": "multi_choice", "choices": ["left", "right"]}, 1),
    ("mathvista", "\\boxed{C}", "center", {"question_type": "multi_choice", "choices": ["left", "right", "center"]}, 0),
    ("mathvision", "6.004", "6", {"choices": []}, 1),
    ("mathvision", "0.004", "0", {"choices": []}, 1),
    ("mathvision", "0.333", "1/3", {"choices": []}, 1),
    ("mathvision", "B. 2", "B", {"choices": ["1", "2", "3"]}, 0),
    ("mathvision", "**B**", "B", {"choices": ["1", "2", "3"]}, 0),
    ("mathvision", "<answer>6</answer>", "6", {"choices": []}, 0),
    ("mathvision", "\\text{Sunday}", "Sunday", {"choices": []}, 0),
    ("chartqa", "[1, 2]", "[1, 2]", {}, 1),
    ("chartqa", "1", "[1, 2]", {}, 0),
    ("chartqa", "2110", "2010", {}, 1),
    ("chartqa", "2111", "2010", {}, 0),
    ("charxiv", "1500", "1.5e3", {"inst_category": 3}, 1),
    ("charxiv", "0.012", "0.01", {"inst_category": 4}, 0),
    ("charxiv", "alpha", "α", {"inst_category": 1}, 1),
    ("robospatial", "nope", "no", {}, 1),
    ("robospatial", "<think>yes</think>yes", "yes", {}, 0),
    ("docvqa", "", [""], {}, 1),
    ("docvqa", "strasse", ["straße"], {}, 0.7142857142857143),
    ("ocrbench", "north", "no", {"dataset": "x"}, 1),
    ("multiple choice", "B.", "B", {"choices": {"A": "a", "B": "bb", "C": "cc", "D": "dd"}}, 0),
    ("numerical", "0.004", "0.001", {}, 1),
    ("numerical", "14 cm", "14", {}, 0),
    ("numerical", "1_000", "1000", {}, 1),
    ("regression", "9", "10", {}, 0.9),
    ("regression", "95", "100", {}, 1.0),
    ("OCR", "x", "a b c", {}, 0),
    ("OCR", "km/h", "km / h", {}, 0),
    ("temporal grounding", '{"time": [5, 2]}', '{"time": [2, 5]}', {}, 0),
    ("temporal grounding", '{"time": ["2", "5"]}', '{"time": [2, 5]}', {}, 1),
    ("temporal grounding", '{"time": [3.0, 3]}', '{"time": [3, 3.5]}', {}, 0),
    ("spatial grounding", '{"boxes": ["1", true, 3, 4]}', '{"boxes": [1, 1, 3, 4]}', {}, 1),
    ("spatial grounding", '{"bbox": [1, 1, 3, 4]}', '{"boxes": [1, 1, 3, 4]}', {}, 0),
    ("spatial grounding", '{"boxes": [3, 4, 1, 1]}', '{"boxes": [1, 1, 3, 4]}', {}, 0),
    (
        "spatial-temporal grounding",
        '{"time": [1, 2], "boxes": {"1": [1, 1, 3, 4]}}',
        '{"time": [1, 2], "boxes": {"1": [1, 1, 3, 4], "2": [5,5,9,9]}}',
        {},
        1,
    ),
    (
        "spatial-temporal grounding",
        '{"time": [1, 2], "boxes": {"2.0": [1, 1, 3, 4]}}',
        '{"time": [1, 2], "boxes": {"2": [1, 1, 3, 4]}}',
        {},
        0.5,
    ),
    ("tracking", '{"boxes": {"1": [1, 1, 3, 4], "9": [0,0,1,1]}}', '{"boxes": {"1": [1, 1, 3, 4]}}', {}, 1),
]


@pytest.mark.parametrize(("task", "answer", "truth", "info", "official"), FIGURES)
def test_official(task: str, answer: str, truth: object, info: dict[str, Any], official: float) -> None:
    assert verify(task, answer, truth, info).official == pytest.approx(official, abs=1e-6)
