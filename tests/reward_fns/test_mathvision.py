from __future__ import annotations

import math
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
    ("answer", "truth", "official", "why"),
    [
        ("6)", "6", 1, "the source reads the longest valid beginning"),
        ("6]", "6", 1, "and ignores brackets that close nothing"),
        ("6_{10}", "6", 1, "indices"),
        ("6.because", "6", 1, "and text behind a dot"),
        ("6&7", "6", 1, "or a column"),
        ("6 triangles", "6", 1, "or what starts with a function's name (tr)"),
        ("5 diagonals", "5", 1, "diag"),
        ("6 cm", "6", 0, "other letters are unknown symbols"),
        ("6,7", "6", 0, "a list"),
        ("6;", "6", 0, "an unfinished list"),
        ("(6", "6", 0, "an open bracket"),
        ("(1000!1000!,1)", "(2,1)", 0, "more digits than Python prints"),
        ("6?", "6", 0, "no token at all"),
        ("|6|", "6", 0, "Abs is no name of math"),
        ("~6", "6", 1, "white space"),
        (r"6\quad", "6", 1, "white space"),
        ("6'7", "42", 1, "a transposition, then a product"),
        (r"\{6\}", "6", 1, "set braces are brackets"),
        ("5", "x=5", 1, "the value that a gold assigns"),
        (r"\frac{1}{2\pi}", r"1/2\pi", 1, "implicit products come before divisions"),
        ("1024", "2^(10)", 0, "no exponents in round brackets"),
        ("7.39", "e^2", 1, "e with an exponent"),
        ("2.72", "e", 0, "the bare name E is not known"),
        ("6e0", "6", 0, "nor is scientific notation"),
        ("-0.99", r"\sin 30", 1, "radians"),
        (r"\log_{2}{64}", "6", 1, "logarithms"),
        ("0.69", r"\ln 2", 0, "log(2, E)"),
        (r"\binom{4}{2}", "6", 1, "binomials"),
        (r"\lfloor6.2\rfloor", "6", 1, "floors"),
        (r"\lceil5.2\rceil", "6", 0, "ceiling is no name of math"),
        ("(9/3, 4)", "(3,4)", 0, "tuples are compared as text: 3.0"),
        ("(3.0, 4.00)", "(3,4)", 1, "decimals of integers are integers"),
    ],
)
def test_official_figure_of_mathvision(answer: str, truth: str, official: float, why: str) -> None:
    assert verify("mathvision", answer, truth, FREE).official == official, why


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("6", 6),
        ("6)×", 6),
        ("6×", None),
        ("6.5.", 6.5),
        ("1.2.3", 0.36),
        ("2+)", None),
        ("3!^2", 6),
        ("2^3^2", 64),
        ("2^-1", None),
        (r"2^\frac{1}{2}", None),
        ("6/2(3)", 1),
        ("12345,678", 12345678),
        ("1,2345", 6170),
        (r"(5)\%", None),
        (r"600\%", 6),
        ("2<3", 1),
        (r"3\le 2", 0),
        ("x=y=6", 6),
        ("2x=6", None),
        ("(5)_{2}", 20),
        (r"{6\choose2}", 15),
        (r"\binom{3000}{2}", None),
        (r"2\tau", 4 * math.pi),
        (r"\tau_1", None),
        (r"\pix", None),
        (r"1\over2", 0.5),
        (r"1\overline{2}", None),
        ("e^{1}", None),
        ("e^0", 1),
        ("2e^3", 2 * math.exp(3)),
        (r"\exp^2(3)", math.exp(6)),
        (r"\sin2*3", math.sin(6)),
        (r"\sin(2)3", 3 * math.sin(2)),
        (r"\sin2\cos3", math.sin(2) * math.cos(3)),
        (r"\sin\cos3", math.sin(math.cos(3))),
        (r"\sin2^2", math.sin(4)),
        (r"\sin^2(2)", math.sin(2) ** 2),
        (r"\sin^{-1}0.5", math.asin(0.5)),
        (r"\arctan^{-1}(1)", 1 / math.atan(1)),
        (r"\operatorname{arsinh}1", math.asinh(1)),
        (r"\arcsin2", None),
        (r"\cot2", None),
        (r"\log_2^2(8)", 9),
        (r"\log_28", None),
        (r"\ln_{2}8", 3),
        ("2^3_", None),
        ("2^3_2!", 40320),
        (r"\log_{1}8", None),
        (r"\log0", None),
        (r"\gcd(6,120)", 6),
        (r"\operatorname{lcm}(6, 4)", 12),
        (r"\max(6,2)", None),
        (r"\lfloor-6.5\rfloor2", -14),
        (r"\sqrt[3]{8}", 2),
        (r"\sqrt[3]{-8}", None),
        (r"\left(6)", None),
        (r"6\right)", 6),
        (r"\sin" * 100 + "1", None),
        ("e^{" * 100, None),
        ("1000!" * 100, None),
        (r"\lcm(" + "999999937," * 48 + "7)", 7 * 999999937),
        ("9^{9}" * 100, 9**900),
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


def test_a_whole_text_is_read_unless_the_beginning_is_asked_for() -> None:
    assert [latex_number(text) for text in ("6)", "6_0", "6.", "6 tr", "2^(3)", "6")] == [None] * 4 + [8, 6]


def test_a_truth_that_is_no_option_is_an_error() -> None:
    with pytest.raises(ValueError, match="options"):
        verify("mathvision", "6", "F", FIVE)
