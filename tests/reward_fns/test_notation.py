from __future__ import annotations

from fractions import Fraction

import pytest

from reward_fns.mathverse import verify_mathverse
from reward_fns.notation import has_split_digits, rational, spelled_out, to_latex
from reward_fns.symbolic import equivalent

INFO = {"verify_timeout": 20}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("-1.5", Fraction(-3, 2)),
        (r"-1\frac{1}{2}", Fraction(-3, 2)),
        (r"1 \dfrac{1}{2}", Fraction(3, 2)),
        ("10^{-3}", Fraction(1, 1000)),
        ("-10^{2}", Fraction(-100)),
        (r"1.5 \times 10^3", Fraction(1500)),
        (r"-2\cdot 10^{2}", Fraction(-200)),
        ("6.02x10^{23}", Fraction(602 * 10**21)),
        ("1e-3", Fraction(1, 1000)),
        *((text, None) for text in ("1/0", r"\frac{1}{0}", "x", "1/2/3", "nan", r"1\frac{3}{2}", r"1\frac{-1}{2}")),
        *((text, None) for text in ("1e999999999", "10^{999}", "10^{999999999}", r"1e300\times 10^{999}", "x10^{2}")),
    ],
)
def test_rational(text: str, value: Fraction | None) -> None:
    assert rational(text) == value


@pytest.mark.parametrize(
    ("text", "latex"),
    [
        ("-1 1/2", r"-1\frac{1}{2}"),
        (r"1\,1/2", r"1\frac{1}{2}"),
        ("1 3/2", "1 3/2"),
        ("12 345x+1 234 567", "12345x+1234567"),
        ("x^2 345", "x^2 345"),
        (r"\frac12+\dfrac 1 3", r"\frac{1}{2}+\dfrac{1}{3}"),
        ("x^-1+e^-x", "x^{-1}+e^{-x}"),
        ("e^-2x", "e^-2x"),
        ("sqrt(2) pi", r"\sqrt{2} \pi "),
    ],
)
def test_spelled_out(text: str, latex: str) -> None:
    assert spelled_out(text) == latex


def test_unicode_as_latex() -> None:
    assert to_latex("x⁻¹²≤λ") == r"x^{-12}\le \lambda"
    assert to_latex("√2≠½") == r"\sqrt{2}\ne \frac{1}{2}"


@pytest.mark.parametrize(
    ("text", "split"),
    [("3 4", True), ("3. 14", True), ("3 .14", True), (r"(3~4,5)", True), ("x^2 3", False), (r"1\\ 2", False)],
)
def test_split_digits(text: str, split: bool) -> None:
    assert has_split_digits(text) is split


@pytest.mark.parametrize(
    ("truth", "answer", "right"),
    [
        ("11/2", "1 1/2", False),
        (r"\frac{11}{2}", r"1 \frac{1}{2}", False),
        ("21/2", "2 1/2", False),
        ("3/2", "1 1/2", True),
        (r"\frac{3}{2}", "1 1/2", True),
        (r"1\frac{1}{2}", "1 1/2", True),
        ("-3/2", "-1 1/2", True),
        ("1 1/2", "1.5", True),
        ("1 1/2", "11/2", False),
        ("2.5 cm", "2 1/2 cm", True),
        ("3/2", "1½", True),
        ("1234", "12 34", False),
        ("1234", "1 234", True),
        (r"1234", r"1\,234", True),
        ("34", "3 4", False),
        ("3 4", "34", False),
        ("3.14", "3. 14", False),
        ("1234x", "12 34x", False),
        ("12345x", "12 345x", True),
        ("(34,5)", "(3 4,5)", False),
        (r"x\le 3", "x<=3", True),
        (r"x\geq 3", "x >= 3", True),
        (r"x \neq 3", "x != 3", True),
        (r"x\ne 3", "x ≠ 3", True),
        (r"x\le 3", "x>=3", False),
        ("x>3", "x>=3", False),
        (r"x \neq 3", "x=3", False),
        ("6", "3!=6", False),
        (r"6.02 \times 10^{23}", "6.02e23", True),
        (r"6.02 \times 10^{23}", "6.02×10²³", True),
        (r"6.02 \times 10^{23}", "6.02x10^{23}", True),
        (r"6.02 \times 10^{23}", "6.02e22", False),
        ("10^{-3}", "1e-3", True),
        ("10^{-3}", "10^-3", True),
        ("10^{-3}", "10⁻³", True),
        ("10^{-3}", "10^{-4}", False),
        ("0", "1e-999999999", False),
        ("5", "10^{999999999}", False),
        ("x^4", "x⁴", True),
        ("x^4", "x³", False),
        ("x^{12}", "x¹²", True),
        ("x^{-1}", "x^-1", True),
        ("x^{-1}", "x^-2", False),
        (r"x\in\mathbb{R}", "x∈ℝ", True),
        (r"\emptyset", r"\varnothing", True),
        (r"\emptyset", r"\{1\}", False),
        (r"30^\circ", r"30\degree", True),
        ("30°", "30º", True),
        ("-3", "–3", True),
        ("3", "–3", False),
    ],
)
def test_equivalent(truth: str, answer: str, right: bool) -> None:
    assert equivalent(answer, truth, INFO)[0] is right


def test_a_gold_of_split_digits_is_unverifiable() -> None:
    assert verify_mathverse("34", "3 4", {"question_type": "free-form"}).official is None
