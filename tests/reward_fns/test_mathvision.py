from __future__ import annotations

import time

import pytest

from reward_fns.latex_number import latex_number
from reward_fns.registry import verify

FREE: dict[str, object] = {"choices": [], "verify_timeout": 20}
FIVE: dict[str, object] = {"choices": ["4", "6", "8", "10", "12"], "verify_timeout": 20}
LETTERS: dict[str, object] = {"choices": ["A", "B", "C", "D", "E"]}


@pytest.mark.parametrize(
    ("answer", "truth", "info", "official", "reward", "why"),
    [
        ("B", "B", FIVE, 1, 1, "the letter"),
        ("(B)", "B", FIVE, 1, 1, "in brackets"),
        ("6", "B", FIVE, 1, 1, "the option's value"),
        ("B.", "B", FIVE, 1, 1, "a dot"),
        ("**B**", "B", FIVE, 0, 1, "Markdown"),
        ("B. 6", "B", FIVE, 0, 1, "letter and value"),
        ("8", "B", FIVE, 0, 0, "another value"),
        ("The answer is 6.", "B", FIVE, 1, 0, "a phrase is cut off"),
        ("b", "B", LETTERS, 1, 1, "options that are letters"),
        ("6", "6", FREE, 1, 1, "exact"),
        ("6.004", "6", FREE, 1, 0, "two decimals"),
        ("6.28", r"2\pi", FREE, 1, 0, "two decimals"),
        ("0.333", "1/3", FREE, 1, 0, "two decimals"),
        ("0.004", "0", FREE, 1, 0, "small numbers are 0"),
        (r"\frac12", "0.5", FREE, 0, 1, "unbraced fractions do not parse there"),
        (r"\sqrt[3]{8}", "2", FREE, 0, 1, "nor do cube roots"),
        ("30°", "30", FREE, 0, 1, "nor degree signs"),
        ("6 cm", "6", FREE, 0, 1, "nor centimetres"),
        ("6 km", "6", FREE, 1, 1, "kilometres are taken off"),
        ("50%", "50", FREE, 0, 0, "percent"),
        (r"\text{Sunday}", "Sunday", FREE, 0, 1, "braces stay"),
        ("Sunday", "Sunday", FREE, 1, 1, "equal texts"),
        (r"\boxed{6}", "6", FREE, 1, 1, "boxed"),
        (r"\boxed{5}\boxed{6}", "6", FREE, 1, 0, "the last box"),
        ("5 = 6", "6", FREE, 1, 0, "the text behind the last equals sign"),
        ("525/2", "262.5", FREE, 1, 1, "a fraction"),
        (r"\frac{36}{13}", "\x0crac{36}{13}", FREE, 0, 1, "a gold that lost its backslash"),
        ("6", r"\boxed{6}", FREE, 0, 1, "a boxed gold"),
        ("6", "$6$", FREE, 1, 1, "a gold between dollar signs"),
        ('len("abcdef")', "6", FREE, 0, 0, "nothing is evaluated"),
        ("", "6", FREE, 0, 0, "nothing"),
    ],
)
def test_mathvision(answer: str, truth: str, info: dict[str, object], official: float, reward: float, why: str) -> None:
    verdict = verify("mathvision", answer, truth, info)
    assert (verdict.official, verdict.reward) == (official, reward), why


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6", 6),
        ("1,234", 1234),
        ("157/50", 3.14),
        (".5", 0.5),
        ("6.0", 6),
        ("2^{10}", 1024),
        ("45^2", 2025),
        (r"3\sqrt{2}", 3 * 2**0.5),
        (r"2\frac{1}{2}", 1.0),
        ("1:2", 0.5),
        (r"50\%", 0.5),
        ("5!", 120),
        ("--5", 5),
        ("-2^2", -4),
        ("[1]", 1),
        (r"\left(3\right)", 3),
        ("1/0", None),
        ("5,6", None),
        ("x", None),
        ("2e", None),
        ("", None),
        ("()", None),
        ("2^", None),
        (r"\infty", None),
        ("9^{9^{9^9}}", None),
        ("9^{99999}", None),
        ("9999!", None),
        ("(" * 400, None),
        ("(" * 40 + "1" + ")" * 40, None),
        ("1" * 5000, None),
        (r"\sqrt{0-1}", None),
    ],
)
def test_latex_number(text: str, value: float | None) -> None:
    start = time.process_time()
    found = latex_number(text, leading=True)
    assert found == pytest.approx(value) if value is not None else found is None
    assert time.process_time() - start < 3


def test_a_truth_that_is_no_option_is_an_error() -> None:
    with pytest.raises(ValueError, match="options"):
        verify("mathvision", "6", "F", FIVE)
