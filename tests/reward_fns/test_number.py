from __future__ import annotations

from decimal import Decimal

import pytest

from reward_fns.number import parse_number
from reward_fns.registry import verify


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("14", "14"),
        (" -5.10 ", "-5.10"),
        ("\u22125", "-5"),
        ("+3", "3"),
        (".5", "0.5"),
        ("5.", "5"),
        ("1,234,567.5", "1234567.5"),
        ("1 234 567", "1234567"),
        ("$1234", "1234"),
        ("-$5", "-5"),
        ("€ 3", "3"),
        ("3 €", "3"),
        ("14%", "0.14"),
        (r"14\%", "0.14"),
        ("1e3", "1000"),
        ("$$132$$", "132"),
        (r"\boxed{7}", "7"),
        (r"\$1{,}234", "1234"),
        ("**7**", "7"),
        ("７", "7"),
        ("nan", None),
        ("inf", None),
        ("-inf", None),
        ("1_000", None),
        ("0x10", None),
        ("1e999", None),
        ("12,34", None),
        ("1 2", None),
        ("1,2,3", None),
        ("3²", None),
        ("½", None),
        ("٣", None),
        ("14 cm", None),
        ("7 then 6", None),
        ("--5", None),
        ("+-5", None),
        ("", None),
        ("9" * 100, None),
        ("$1$ $2$", None),
    ],
)
def test_parse_number(text: str, value: str | None) -> None:
    number = parse_number(text)
    assert (number.value if number else None) == (Decimal(value) if value else None)


@pytest.mark.parametrize(
    ("answer", "truth", "right"),
    [
        ("62", "62", True),
        ("62.0", "62", True),
        ("1,062", "1062", True),
        ("62.9", "62", False),
        ("62%", "62", False),
        ("6200%", "62", False),
        ("37 + 25 = 62", "62", False),
        ("61 62 63", "62", False),
        ("", "62", False),
        ("nan", "62", False),
    ],
)
def test_integer(answer: str, truth: str, right: bool) -> None:
    verdict = verify("arithmetic", answer, truth)
    assert (verdict.official, verdict.reward) == (float(right), float(right))


RELAXED = [
    # answer, truth, official, reward, reason
    ("14", "14", 1, 1, "exact"),
    ("14.1", "14", 1, 1, "within 1 %"),
    ("14.7", "14", 1, 0.5, "5 % is inside"),
    ("14.8", "14", 0, 0, "beyond 5 %"),
    ("14%", "14", 0, 0, "a percentage of 14 is 0.14"),
    ("0.14", "14%", 1, 1, "the same value"),
    ("14", "14%", 0, 0, "a hundred times as much"),
    ("1,234", "1234", 0, 1, "a comma is no float to the source"),
    ("$1234", "1234", 0, 1, "nor is a currency"),
    ("1910", "2010", 1, 0, "years are within 5 %"),
    ("2010", "2010", 1, 1, "the year itself"),
    ("1988", "1,987", 0, 1, "no year has a comma"),
    ("0.0", "0", 0, 1, "gold 0 is compared as text in the source"),
    ("0", "0", 1, 1, "gold 0"),
    ("0.0001", "0", 0, 0, "gold 0 has no relative error"),
    ("Yes.", "Yes", 0, 1, "a trailing dot"),
    ("yes", "Yes", 1, 1, "case"),
    ("No", "Yes", 0, 0, "another text"),
    ("nan", "14", 0, 0, "nan"),
    ("inf", "14", 0, 0, "inf"),
    ("[b, a]", "[a, b]", 0, 1, "a list in another order"),
    ("[a]", "[a, b]", 0, 0, "a shorter list"),
    ("b, a", "[a, b]", 0, 1, "without brackets"),
    ("b, a", "a, b", 0, 0, "the gold is no list"),
    ("2, 1", "[1, 2]", 0, 1, "numbers without brackets"),
    ("12", "[1, 2]", 0, 0, "one number"),
    ("[200, 100]", "[100,200]", 0, 1, "a list that looks like one number"),
    ("100200", "[100,200]", 0, 0, "one number"),
    ("1,234", "[1234]", 0, 1, "a number in brackets"),
    ("14 or 15", "14", 0, 0, "two numbers"),
    ("14 15 16", "14", 0, 0, "a dump"),
    ("-14", "14", 0, 0, "sign"),
    (" 14 ", "14", 1, 1, "white space"),
]


@pytest.mark.parametrize(("answer", "truth", "official", "reward", "why"), RELAXED)
def test_relaxed(answer: str, truth: str, official: float, reward: float, why: str) -> None:
    verdict = verify("bar_value", answer, truth)
    assert verdict.official == official, why
    assert verdict.reward == pytest.approx(reward), why


@pytest.mark.parametrize("gold", [1499, 1500, 1850, 1987, 2100, 2101])
def test_golds_that_can_be_years_are_exact(gold: int) -> None:
    assert verify("bar_value", str(gold + 1), str(gold)).reward == float(gold in (1499, 2101))


def test_dense_reward_falls_with_the_error() -> None:
    rewards = [verify("bar_value", f"{100 + error / 10}", "100").reward for error in range(60)]
    assert rewards == sorted(rewards, reverse=True)
    assert 0.5 < rewards[30] < 1.0
