from __future__ import annotations

import time

import pytest

from reward_fns.registry import verify

OPEN = {"question_type": "open"}


@pytest.mark.parametrize(
    ("answer", "truth", "official", "reward", "why"),
    [
        ("hepatitis", ["hepatitis"], 1, 1, "equal"),
        ("Hepatitis.", ["hepatitis"], 1, 1, "case and dot"),
        ("not hepatitis", ["hepatitis"], 1, 0, "containment"),
        ("The result is 12, not 3.", ["3"], 1, 0, "every number behind the last key word counts"),
        ("1 2 3 4 5 6 7 8 9 10", ["7"], 1, 0, "a dump of numbers"),
        ("50%", ["0.5"], 0, 1, "percent is no number to the source"),
        ("1/2", ["0.5"], 0, 0, "nor is a fraction"),
        ("0.506", ["0.5"], 0, 0, "1.2 % off"),
        ("0.504", ["0.5"], 1, 1, "two decimals, within 1 %"),
        ("0.001", ["0.004"], 1, 0, "two decimals make small numbers equal"),
        ("99", ["100"], 0, 0, "whole numbers are exact"),
        ("1,234", ["1234"], 1, 1, "thousands separator"),
        ("24/7", ["24/7", "3.429"], 1, 1, "any of several"),
        ("3.43", ["24/7", "3.429"], 1, 1, "any of several, rounded"),
        ("Tampa", '["Tampa", "Florida"]', 1, 1, "JSON text of a list"),
        ("Florida", "['Tampa', 'Florida']", 1, 1, "a Python list in a text, as the data set has it"),
        ("C", ["C"], 1, 1, "one character"),
        ("Cat", ["C"], 0, 0, "one character needs a space"),
        ("x = 3", ["3"], 1, 0, "an equation in the last line"),
        ("", ["3"], 0, 0, "empty"),
    ],
)
def test_open(answer: str, truth: object, official: float, reward: float, why: str) -> None:
    verdict = verify("mmmu", answer, truth, OPEN)
    assert (verdict.official, verdict.reward) == (official, reward), why


@pytest.mark.parametrize(
    "bomb", ["1" * 20_000, "1," * 9_999, "1.1." * 4_999, "-" * 20_000, "is " * 6_600, "1\n" * 9_999]
)
def test_linear(bomb: str) -> None:
    start = time.process_time()
    verify("mmmu", bomb, ["x"], OPEN)
    assert time.process_time() - start < 3
