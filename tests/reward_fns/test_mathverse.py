from __future__ import annotations

import pytest

from reward_fns.registry import verify

FREE = {"question_type": "free-form", "verify_timeout": 20}
CHOICE = {"question_type": "multi-choice", "verify_timeout": 20}


@pytest.mark.parametrize(
    ("answer", "truth", "info", "right"),
    [
        ("D", "D", CHOICE, True),
        ("(D)", "D", CHOICE, True),
        ("C", "(C)", CHOICE, True),
        ("D: 80", "D", CHOICE, True),
        ("C and D", "D", CHOICE, False),
        ("False", "False", CHOICE, True),
        ("118", "118掳", FREE, True),
        ("118°", "118掳", FREE, True),
        ("2191.7 metres", "2191.7 metres ", FREE, True),
        ("2191.7", "2191.7 metres", FREE, True),
        ("2191.7 m", "2191.7 metres", FREE, True),
        ("2191.7 km", "2191.7 metres", FREE, False),
        ("50 cm", "0.5", FREE, False),
        ("56.55", "56.55 units $^{3}$", FREE, True),
        ("56.55 cubic units", "56.55 units $^{3}$", FREE, True),
        ("56.55 square units", "56.55 units $^{3}$", FREE, False),
        (r"$\frac{1}{2}$", "0.5", FREE, True),
        (r"4\sqrt{3}", r"\sqrt{48}", FREE, True),
        ("12 or 13", "12", FREE, False),
        ("", "12", FREE, False),
    ],
)
def test_mathverse(answer: str, truth: str, info: dict[str, str], right: bool) -> None:
    verdict = verify("mathverse", answer, truth, info)
    assert (verdict.official, verdict.reward) == (float(right), float(right))


@pytest.mark.parametrize(
    "truth", ["C\nD", "the angle is equal to the other one", "$x=1$ or $x=2$", "Yes, because it is isosceles"]
)
def test_unverifiable_golds(truth: str) -> None:
    for answer in (truth, "12"):
        verdict = verify("mathverse", answer, truth, FREE)
        assert (verdict.official, verdict.reward) == (None, 0.0)
