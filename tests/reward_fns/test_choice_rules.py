from __future__ import annotations

import time

import pytest

from reward_fns.registry import verify

INFO = {"choices": {"A": "a blue bus", "B": "left", "C": "right of it", "D": "14"}}
LONG = "after looking at it for a while "
OFFICIAL = [
    # task, answer, truth, official, reward, reason
    ("mmmu", "(B)", "B", 1, 1, "in brackets"),
    ("mmmu", "B.", "B", 1, 1, "punctuation is stripped from the ends"),
    ("mmmu", "b", "B", 0, 1, "lower case: the source draws at random"),
    ("mmmu", "B)", "B", 0, 1, "the source draws at random"),
    ("mmmu", "**B**", "B", 0, 1, "the source draws at random"),
    ("mmmu", r"\boxed{B}", "B", 0, 1, "the source draws at random"),
    ("mmmu", "A or B", "B", 1, 0, "the last letter wins"),
    ("mmmu", "(A) or B", "A", 1, 0, "brackets before bare letters"),
    ("mmmu", LONG + "Left", "B", 1, 0, "option text in over five words"),
    ("mmmu", "left", "B", 0, 1, "up to five words its text does not count"),
    ("mmbench", "B", "B", 1, 1, "the letter"),
    ("mmbench", "b", "B", 0, 1, "capitals only"),
    ("mmbench", "The answer is not B.", "B", 1, 0, "negation is not seen"),
    ("mmbench", "A B", "A", 0, 0, "two letters"),
    ("mmbench", "B is what I see in it", "B", 0, 1, "too far from the end"),
    ("mmbench", "The correct answer is **B** as I can see it, not the A", "B", 1, 0, "the phrase"),
    ("mmbench", "left", "B", 1, 1, "the only option text"),
    ("mmbench", "left of 14", "B", 0, 0, "two option texts"),
    ("mmbench", "left" + " or so" * 20, "B", 0, 0, "longer than twice the options"),
    ("mmbench", "Cannot determine the answer", "B", 0, 0, "a refusal"),
    ("ai2d", "(b)", "B", 0, 1, "VLMEvalKit's reader takes capitals only"),
    ("ai2d", "Answer: B", "B", 1, 0, "a token among the last four"),
    ("mmstar", "b", "B", 1, 1, "either case"),
    ("mmstar", "Because", "B", 1, 0, "only the first character counts"),
    ("mmstar", "BCD", "B", 1, 0, "the same"),
    ("mmstar", "**B**", "B", 0, 1, "Markdown"),
    ("mmstar", "(B)", "B", 1, 1, "a bracket"),
    ("mmstar", "Option B", "B", 1, 0, "a prefix"),
    ("mmstar", "The answer is B", "B", 1, 0, "a prefix"),
    ("mmstar", "The answer is (B).", "B", 0, 0, "a prefix and a bracket"),
    ("mmstar", "Answer: B", "B", 0, 0, "not a known prefix"),
    ("embspatial", "B", "B", 1, 1, "the letter"),
    ("embspatial", "The answer is B", "B", 1, 0, "a capital token"),
    ("embspatial", "Below", "B", 0, 0, "a word"),
    ("embspatial", "a blue bus", "A", 0, 1, "text is not read"),
    ("embspatial", "A\nB", "B", 1, 0, "the last line first"),
    ("embspatial", "<answer>B</answer> A", "B", 1, 0, "an answer block first"),
    ("embspatial", "b</answer>", "B", 1, 0, "a letter before a closing tag"),
    ("embspatial", "<think>A</think> B", "A", 1, 0, "of any tag"),
    ("embspatial", "<think> A or C\nB", "B", 1, 0, "the text behind the thinking tag"),
    ("embspatial", "final answer: (b)", "B", 1, 0, "a phrase in either case"),
]


@pytest.mark.parametrize(("task", "answer", "truth", "official", "reward", "why"), OFFICIAL)
def test_official_and_reward(task: str, answer: str, truth: str, official: float, reward: float, why: str) -> None:
    verdict = verify(task, answer, truth, INFO)
    assert (verdict.official, verdict.reward) == (official, reward), why


def test_a_random_draw_is_noted() -> None:
    assert "guess" in verify("mmmu", "no idea", "B", INFO).note


@pytest.mark.parametrize("task", ["mmmu", "mmbench", "mmstar", "ai2d", "embspatial"])
@pytest.mark.parametrize(
    "bomb",
    [
        "(" * 19_999,
        "answer" + " " * 19_000 + "?",
        "A " * 9_999,
        "*" * 19_999 + "A",
        "answer is " * 1_999,
        "<answer" * 2_000 + "</answer>",
        "<answer>A" * 2_000,
        "\n" * 19_999,
    ],
)
def test_readers_are_linear(task: str, bomb: str) -> None:
    start = time.process_time()
    verify(task, bomb, "A", INFO)
    assert time.process_time() - start < 3
