from __future__ import annotations

import pytest

from reward_fns.registry import verify

TEXT = {"dataset": "IIIT5K", "question_type": "Regular Text Recognition"}
FORMULA = {"dataset": "HME100k", "question_type": "Handwritten Mathematical Expression Recognition"}


@pytest.mark.parametrize(
    ("answer", "truth", "info", "official", "reward", "why"),
    [
        ("CENTRE", "CENTRE", TEXT, 1, 1, "equal"),
        ("centre", "CENTRE", TEXT, 1, 1, "case"),
        ("15743", "5743", TEXT, 1, 0.8, "containment; one edit"),
        ("not 3", "3", TEXT, 1, 0.1, "containment in a short answer"),
        ("north", "no", TEXT, 1, 0.2, "a part of a word"),
        ("word " * 900 + "CENTRE", "CENTRE", TEXT, 1, 0, "a dump"),
        ("1 2 3 4 5 6", "5", TEXT, 1, pytest.approx(0.5 / 11), "a dump of digits earns less than a guess"),
        ("anything", "", TEXT, 1, 0, "an empty gold is in everything"),
        ("x", ["a", "x"], TEXT, 1, 1, "any of several"),
        ("a\nb", "a b", TEXT, 1, 1, "line breaks"),
        ("x _ { 0 }", "x_{0}", FORMULA, 1, 1, "formulas lose their spaces"),
        ("X_{0}", "x_{0}", FORMULA, 0, 0.8, "formulas keep their case"),
        ("x\t_{0}", "x_{0}", FORMULA, 0, 1, "tabs stay in the source"),
        ("a b", "ab", TEXT, 0, pytest.approx(2 / 3), "texts keep their spaces"),
    ],
)
def test_ocrbench(answer: str, truth: object, info: dict[str, str], official: float, reward: object, why: str) -> None:
    verdict = verify("ocrbench", answer, truth, info)
    assert verdict.official == official, why
    assert verdict.reward == (pytest.approx(reward) if isinstance(reward, float) else reward), why
