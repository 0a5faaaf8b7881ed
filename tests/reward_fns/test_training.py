from __future__ import annotations

import time

import pytest

from reward_fns.registry import verify

OPTIONS = {"options": ["A. a red bus", "B. a blue bus", "C. none"], "verify_timeout": 20}


@pytest.mark.parametrize(
    ("task", "answer", "truth", "official", "reward", "why"),
    [
        ("multiple choice", "B", "B", 1, 1, "the letter"),
        ("multiple choice", "(B)", "B", 1, 1, "grade_answer takes brackets"),
        ("multiple choice", "b", "B", 1, 1, "and lower case"),
        ("multiple choice", r"\boxed{B}", "B", 1, 1, "and LaTeX"),
        ("multiple choice", r"$\left(\text{B}\right)$", "B", 1, 0, "and brackets in LaTeX"),
        ("multiple choice", "x=B", "B", 1, 0, "and a short left side"),
        ("multiple choice", r"\mathbf{B}", "B", 0, 1, "but no bold letter of mathematics"),
        ("multiple choice", "B.", "B", 0, 1, "but no dot"),
        ("multiple choice", "B. a blue bus", "B", 0, 1, "no text"),
        ("multiple choice", "**B**", "B", 0, 1, "no Markdown"),
        ("multiple choice", "Because", "B", 0, 0, "a word"),
        ("multiple choice", "A B", "B", 0, 0, "two letters"),
        ("numerical", "40.33", "40.33", 1, 1, "exact"),
        ("numerical", "40.334", "40.33", 1, 1, "two decimals, within 1 %"),
        ("numerical", "0.001", "0.004", 1, 0, "two decimals make small numbers equal"),
        ("numerical", "14%", "14", 0, 0, "percent"),
        ("numerical", "$14", "14", 0, 1, "currency"),
        ("numerical", "1,400", "1400", 1, 1, "thousands"),
        ("numerical", "1/2", "0.5", 0, 0, "a fraction"),
        ("numerical", "1_4", "14", 1, 0, "underscores parse in Python"),
        ("numerical", "101", "100", 0, 0.4, "a near miss"),
        ("numerical", "2001", "2000", 0, 0, "a year"),
        ("numerical", "0.0001", "0", 1, 0, "gold 0"),
        ("regression", "2.55", "2.55", 1, 1, "exact"),
        ("regression", "102", "100", 1, 0.96, "full score there within 5 %"),
        ("regression", "90", "100", 0.9, 0.8, "thresholds in float32"),
        ("regression", "9", "10", 0.9, 0.8, "float32: another edge"),
        ("regression", "0", "0.0", 1, 1, "gold 0"),
        ("regression", "0.1", "0.0", 0, 0, "gold 0"),
        ("regression", "200", "100", 0, 0, "far away"),
        ("regression", "nan", "100", 0, 0, "nan"),
        ("OCR", "I think so.", "I think so.", 1, 1, "exact"),
        ("OCR", "i think so.", "I think so.", 2 / 3, 0.5 * 2 / 3 + 0.5 * 8 / 9, "case counts"),
        ("OCR", "u(x-x_{0})", "u ( x - x _ { 0 } )", 0, 1, "spaces of LaTeX carry nothing"),
        ("OCR", "a/b", "a / b", 0, 0.5, "but those of text do"),
        ("OCR", "(C)", "( C )", 0, 1, "a formula of single characters"),
        ("OCR", "x>y", "x > y", 0, 1, "the same"),
        ("OCR", "(D)", "( C )", 0, 2 / 3, "another letter"),
        ("OCR", "(see", "( see", 0, 0.5, "text with a bracket"),
        ("OCR", "the whole page " * 50, "so", 0, 0, "a dump"),
        ("open-ended", "A cat sits on the mat", "A cat sits on the mat", 1, 1, "exact"),
        ("open-ended", "Paris", "Paris", 1, 1, "one word has no bigram, but it is the truth"),
        ("open-ended", "Paris.", "Paris", 2 / 3, 1, "a dot"),
        ("open-ended", "the cat", "a dog", 0, 0, "nothing shared"),
        ("math", "$$\\pi$$", "$$\\pi $$", 1, 1, "one formula"),
        ("math", r"\pi", r"$\pi$", 0, 1, "undelimited LaTeX is not read by the source"),
        ("math", r"2\sqrt{3}", r"2\sqrt{5}", 1, 0, "undelimited LaTeX compares only its numbers"),
        ("math", "7 then 6", "6", 1, 0, "the last number wins there"),
        ("math", "3x+4y+14=0", "3*x-1*y+13=0", 1, 0, "undelimited equations compare equal"),
        ("math", "Sunday", "Sunday", 1, 1, "the truth is right"),
        ("math", "Monday", "Sunday", 0, 0, "another word"),
        ("math", "1000", "1e3", 0, 1, "scientific notation is not read by the source"),
        ("math", "8657", "8657", 1, 1, "numbers"),
        ("math", "$8657$", "8657", 1, 1, "delimited"),
        ("math", "8658", "8657", 0, 0, "numbers"),
        ("math", "50%", "50", 1, 0, "percent"),
    ],
)
def test_training(task: str, answer: str, truth: str, official: float, reward: float, why: str) -> None:
    verdict = verify(task, answer, truth, OPTIONS if task in ("multiple choice", "math") else {})
    assert verdict.official == pytest.approx(official), why
    assert verdict.reward == pytest.approx(reward), why
    assert bool(verdict.note) is (verdict.reward != 1)


@pytest.mark.parametrize("gold", [1499, 1500, 1850, 1987, 2100, 2101])
def test_whole_golds_that_can_be_years_earn_no_near_miss(gold: int) -> None:
    expected = 0.5 * (1 - 20 / gold) if gold in (1499, 2101) else 0.0
    assert verify("numerical", str(gold + 1), str(gold)).reward == pytest.approx(expected)


def test_regression_falls_with_the_error() -> None:
    rewards = [verify("regression", str(100 + error), "100").reward for error in range(60)]
    assert rewards == sorted(rewards, reverse=True)
    assert rewards[0] > rewards[1] > rewards[5]


@pytest.mark.parametrize(
    ("task", "answer", "truth"),
    [
        ("open-ended", "ab cd " * 3_000, "the cat " * 300),
        ("OCR", "a " * 9_999, "the cat " * 900),
        ("math", "1" * 20_000, "1"),
        ("numerical", "1" * 20_000, "1"),
    ],
)
def test_long_answers_are_quick(task: str, answer: str, truth: str) -> None:
    start = time.process_time()
    assert verify(task, answer, truth).reward < 0.5
    assert time.process_time() - start < 3


@pytest.mark.parametrize(
    ("task", "truth", "why"),
    [
        ("math", " ", "empty"),
        ("multiple choice", "BC", "letter"),
        ("multiple choice", "D", "letter of ABC"),
        ("numerical", "3/4", "number"),
        ("regression", "2.5 m", "number"),
    ],
)
def test_a_truth_that_cannot_be_used_is_an_error_for_every_answer(task: str, truth: str, why: str) -> None:
    for answer in (truth, "1"):
        with pytest.raises(ValueError, match=why):
            verify(task, answer, truth, OPTIONS)
