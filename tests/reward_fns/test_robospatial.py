from __future__ import annotations

import pytest

from reward_fns.registry import verify

POLYGON = "[[0.2, 0.2], [0.6, 0.2], [0.6, 0.6], [0.2, 0.6]]"


@pytest.mark.parametrize(
    ("answer", "truth", "official", "reward", "why"),
    [
        ("yes", "yes", 1, 1, "equal"),
        ("Yes.", "yes", 1, 1, "case and dot"),
        ("yesterday", "yes", 1, 0, "the source tests a prefix"),
        ("not really", "no", 1, 0, "the source tests a prefix"),
        ("north", "no", 1, 0, "the source tests a prefix"),
        ("**Yes**", "yes", 0, 1, "Markdown"),
        ("Answer: yes", "yes", 0, 0, "a preamble"),
        ("yes and no", "yes", 1, 0, "both"),
        ("no", "yes", 0, 0, "wrong"),
        ("", "no", 0, 0, "nothing"),
    ],
)
def test_yes_no(answer: str, truth: str, official: float, reward: float, why: str) -> None:
    verdict = verify("robospatial", answer, truth, {"kind": "yes/no"})
    assert (verdict.official, verdict.reward) == (official, reward), why


@pytest.mark.parametrize(
    ("answer", "official", "reward", "why"),
    [
        ("[(0.3, 0.3)]", 1, 1, "the form that the prompt asks for"),
        ("(0.3, 0.3)", 1, 1, "a tuple"),
        ("[0.3, 0.3]", 1, 1, "a list"),
        ("[[.3, .3]]", 0, 1, "the source reads no nested list without its first digit"),
        ("[.3, .3]", 1, 1, "but a flat one"),
        ("(0.2, 0.2)", 1, 1, "the lower edge is inside"),
        ("(0.6, 0.3)", 0, 0.3, "the upper edge is not"),
        ("(0.3, 0.3) (0.9, 0.9)", 1, 0, "the first of several; the reward takes one"),
        ("(300, 300)", 0, 0, "0-1000 is out of range"),
        ("(-0.3, 0.3)", 0, 0, "negative"),
        ("somewhere", 0, 0, "no point"),
    ],
)
def test_point(answer: str, official: float, reward: float, why: str) -> None:
    verdict = verify("robospatial", answer, POLYGON, {"kind": "point", "point_format": "unit"})
    assert verdict.official == official, why
    assert verdict.reward == pytest.approx(reward), why


def test_relative_points() -> None:
    verdict = verify("robospatial", '{"point_2d": [300, 300]}', POLYGON, {"point_format": "relative_1000"})
    assert (verdict.official, verdict.reward) == (1.0, 1.0)


def test_nearer_is_better() -> None:
    rewards = [verify("robospatial", f"({x / 100}, 0.4)", POLYGON, {}).reward for x in range(20)]
    assert rewards == sorted(rewards)
    assert rewards[-1] < 0.3


@pytest.mark.parametrize("truth", ["maybe", "[[0, 0], [1, 1]]", "{}"])
def test_a_truth_that_is_neither_is_an_error(truth: str) -> None:
    with pytest.raises(ValueError):
        verify("robospatial", "yes", truth, {})
