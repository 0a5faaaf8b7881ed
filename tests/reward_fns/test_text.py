from __future__ import annotations

import time

import numpy as np
import pytest

from reward_fns.registry import verify


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("red", "red", True),
        ("Red.", "red", True),
        ('"red"', "red", True),
        ("**red**", "red", True),
        ("ｒｅｄ", "red", True),
        ("dark  blue", "dark blue", True),
        ("red blue green", "red", False),
        ("not red", "red", False),
        ("reddish", "red", False),
        ("the red one", "red", False),
        ("", "red", False),
        (".", "red", False),
    ],
)
def test_word(answer: str, truth: str, right: bool) -> None:
    verdict = verify("shape_color", answer, truth)
    assert (verdict.official, verdict.reward) == (float(right), float(right))


ANLS = [
    # answer, truth, official, reward, reason
    ("OSLO", "OSLO", 1, 1, "exact"),
    ("oslo", "OSLO", 1, 1, "case"),
    (" OSLO ", "OSLO", 1, 1, "the answer is trimmed first"),
    ("New  York", "New York", 1, 1, "runs of white space"),
    ("OSLE", "OSLO", 0.75, 0.675, "one edit of four"),
    ("abxy", "abcd", 0.5, 0.45, "exactly 0.5 stays"),
    ("axyz", "abcd", 0, 0, "below 0.5"),
    ("", "abc", 0, 0, "empty"),
    ("zz" + " " * 20, "abc", 0, 0, "padding behind buys nothing"),
    ("z" + " " * 20 + "z", "abc", 20 / 22 - 1 / 22, 0, "padding inside buys official score in the RRC script"),
    ("x", '["abc", "x"]', 1, 1, "any of several"),
    ("abd", '["abc", "zzz"]', 2 / 3, 0.6, "the best of several"),
    ("[1, 2", "[1, 2", 1, 1, "a truth that only looks like JSON"),
    ("The answer is OSLO", "OSLO", 0, 0, "nothing strips a preamble"),
]


@pytest.mark.parametrize(("answer", "truth", "official", "reward", "why"), ANLS)
def test_anls(answer: str, truth: str, official: float, reward: float, why: str) -> None:
    verdict = verify("field_read", answer, truth)
    assert verdict.official == pytest.approx(official), why
    assert verdict.reward == pytest.approx(reward), why


def test_anls_of_a_long_answer_is_quick() -> None:
    start = time.perf_counter()
    assert verify("field_read", "ab" * 9_999, "ba" * 200).reward == 0
    assert time.perf_counter() - start < 0.5


def test_no_reference_is_an_error() -> None:
    with pytest.raises(ValueError, match="ground_truth"):
        verify("field_read", "a", "[]")


@pytest.mark.parametrize(("answer", "right"), [("abc", True), ("d", True), ("xyz", False)])
def test_references_may_be_an_array(answer: str, right: bool) -> None:
    verdict = verify("docvqa", answer, np.array(["abc", "d"]))
    assert (verdict.official, verdict.reward) == (float(right), float(right))
    with pytest.raises(ValueError, match="not a text"):
        verify("docvqa", answer, np.array([["abc"]]))
