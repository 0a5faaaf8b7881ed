from __future__ import annotations

import pytest

from reward_fns import symbolic_worker
from reward_fns.symbolic_values import decided
from reward_fns.symbolic_worker import equivalent

DECIDED = [
    (r"2\sqrt{5}", r"\sqrt{20}", True),
    (r"2\sqrt{5}", r"2\sqrt{3}", False),
    (r"\frac{3\sqrt{2}}{4}", r"\dfrac{3}{4}\sqrt{2}", True),
    (r"\pi\times 24 \cdot 1.0", r"(24\pi)", True),
    (r"2\pi", "6.28", False),
    (r"2^{10}", "1024", True),
    (r"\left(1+2\right)/3", "1", True),
    ("x^2+5x", "x^2+4x", False),
    ("x^2+5x", "y^2+5y", False),
    ("2x+y=3", "2x+y=4", False),
    ("2x+3y=5", "2x-3y=5", False),
]
UNDECIDED = [
    ("x^2+5x", "x(x+6)", "x may be a function"),
    ("x^2+2x", "2x+x^2", "equal at sample points is no proof"),
    ("2x+y=3", "4x+2y=6", "the same equation"),
    ("x=3", "3", "one equation"),
    ("x+1=3", "y+1=3", "other names"),
    (r"\pi", "3.14159", "near"),
    ("10^{-9}", "0", "too small for floats"),
    (r"1\frac{1}{2}", r"\sqrt{2}", "a mixed number"),
    ("1/2x", "x", "two readings"),
    ("x^12", "x", "two readings"),
    ("2 3", r"\sqrt{6}", "two numbers"),
    ("1,234", r"\sqrt{2}", "a comma"),
    ("50\\%", r"\sqrt{2}", "a percentage"),
    ("(1,2)", "(1,3)", "a pair"),
    (r"\sin x", r"\cos x", "functions"),
    (r"\sqrt[3]{8}", "2", "roots with a degree"),
    ("e^2", "i^2", "names with a meaning"),
    ("ab", "a", "names that stand together"),
    (r"\frac{1}{0}", "1", "no value"),
    (r"\sqrt{x-5}", "x", "no value at the sample points"),
    ("9^{9^{9}}", "9", "too large"),
    ("x+" * 100 + "x", "x", "long"),
]


@pytest.mark.parametrize(("gold", "given", "expected"), DECIDED)
def test_decided(gold: str, given: str, expected: bool) -> None:
    assert decided(gold, given) is expected


@pytest.mark.parametrize(("gold", "given", "reason"), UNDECIDED, ids=[case[2] for case in UNDECIDED])
def test_left_to_a_worker(gold: str, given: str, reason: str) -> None:
    assert decided(gold, given) is None
    assert decided(given, gold) is None


@pytest.mark.parametrize(("gold", "given", "expected"), DECIDED)
def test_a_worker_says_the_same(gold: str, given: str, expected: bool) -> None:
    assert equivalent(gold, given) is expected


FORMULAS = [
    r"\frac{3\sqrt{2}}{4}",
    "2x+3y=5",
    "[1,2)",
    r"(-\infty,3]\cup\{5\}",
    r"\log(2)+3",
    r"\sin^2 x",
    "x(y+1)",
    "1/2x",
]
FORMULAS += [
    "1,234",
    "3,4",
    "x>3",
    r"\begin{pmatrix}1&2\\3&4\end{pmatrix}",
    "f(x)=2x",
    r"|x-2|\le 3",
    r"50\%",
    "a:b",
    "2 3",
]


@pytest.mark.parametrize("text", [*FORMULAS, "((", r"\frac{1}", "x=="])
def test_the_quick_parse_gives_the_full_one(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also for texts that are no formula: both refuse them."""
    from latex2sympy2_extended.latex2sympy2 import _Latex2Sympy

    monkeypatch.setattr(_Latex2Sympy, "create_parser", _Latex2Sympy.create_parser)  # to be put back
    before = tree(text)
    symbolic_worker.use_fast_prediction()
    assert tree(text) == before


def tree(text: str) -> str:
    from latex2sympy2_extended.latex2sympy2 import _Latex2Sympy

    parser = _Latex2Sympy().create_parser(text)
    try:
        return parser.math().toStringTree(recog=parser)
    except Exception as error:
        return str(error)
