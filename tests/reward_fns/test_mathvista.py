from __future__ import annotations

from typing import Any

import pytest

from reward_fns.registry import verify

CHOICE = {"question_type": "multi_choice", "answer_type": "text", "choices": ["left", "right", "Left one"]}
INTEGER = {"question_type": "free_form", "answer_type": "integer", "choices": None}
FLOAT = {"question_type": "free_form", "answer_type": "float", "precision": 1.0, "choices": None}
LIST = {"question_type": "free_form", "answer_type": "list", "choices": None}


@pytest.mark.parametrize(
    ("answer", "truth", "info", "official", "reward", "why"),
    [
        ("B", "right", CHOICE, 1, 1, "a capital"),
        ("(b)", "right", CHOICE, 1, 1, "in brackets, either case"),
        ("right", "right", CHOICE, 1, 1, "the text"),
        ("b", "right", CHOICE, 0, 1, "nearest by edit distance: left"),
        ("", "left", CHOICE, 1, 0, "nothing is nearest to the shortest"),
        ("rights", "right", CHOICE, 1, 0, "nearest text"),
        ("C.", "Left one", CHOICE, 0, 1, "nearest text: left"),
        ("14", "14", INTEGER, 1, 1, "exact"),
        ("14.0", "14", INTEGER, 1, 1, "the same value"),
        ("14.9", "14", INTEGER, 1, 0, "truncated in the source"),
        ("14 cm", "14", INTEGER, 0, 0, "a unit"),
        ("inf", "14", INTEGER, 0, 0, "inf"),
        ("1.2", "1.2", FLOAT, 1, 1, "exact"),
        ("1.24", "1.2", FLOAT, 1, 1, "rounded"),
        ("1.25", "1.2", FLOAT, 1, 1, "binary rounding; half a unit"),
        ("1.26", "1.2", FLOAT, 0, 0, "beyond half a unit"),
        ("1.2", "1.20", FLOAT, 0, 1, "the source compares texts"),
        ("[0, 8]", "[0, 8]", LIST, 1, 1, "exact"),
        ("[0,8]", "[0, 8]", LIST, 0, 1, "spaces"),
        ("[8, 0]", "[0, 8]", LIST, 0, 0, "order"),
        ("[true, 8]", "[1, 8]", LIST, 0, 0, "bool"),
    ],
)
def test_mathvista(answer: str, truth: str, info: dict[str, Any], official: float, reward: float, why: str) -> None:
    verdict = verify("mathvista", answer, truth, info)
    assert (verdict.official, verdict.reward) == (official, reward), why


@pytest.mark.parametrize("info", [{**FLOAT, "precision": None}, {"answer_type": "float"}])
def test_a_float_without_precision_is_an_error(info: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="precision"):
        verify("mathvista", "1.6", "1.2", info)


def test_a_truth_outside_the_choices_is_an_error() -> None:
    with pytest.raises(ValueError, match="not among the choices"):
        verify("mathvista", "A", "up", CHOICE)
