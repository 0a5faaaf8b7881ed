from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reward_fns.symbolic import equivalent, pool, rational

INFO = {"verify_timeout": 20}
FAST = [
    # truth, answer, right: decided without a worker
    ("1000", "1e3", True),
    ("1,234", "$1234$", True),
    ("$$132$$", "132", True),
    ("-5.1", "-5.10", True),
    ("0.5", "1/2", True),
    (r"\frac{1}{2}", "0.5", True),
    (r"$-\dfrac{3}{2}$", "-1.5", True),
    ("1/3", "0.333", False),
    ("1/3", "0.3333333", True),
    ("0.0000001", "0", False),
    ("0.004", "0.001", False),
    ("50%", "0.5", True),
    ("50", "50%", False),
    ("5", "x=5", True),
    ("x=5", "5", True),
    ("30^\\circ", "30°", True),
    ("30", "30°", True),
    ("6", "6 cm", True),
    ("6 cm", r"6\text{ cm}", True),
    ("6 cm", "6 km", False),
    ("6 cm^2", "6 cm", False),
    ("B", "(B)", True),
    ("B", "B or C", False),
    ("Sunday", r"\text{Sunday}", True),
    ("Sunday", "Snuday", False),
    ("even", "odd even", False),
    ("yes", "no", False),
    ("6", "7 then 6", False),
    ("6", "not 6", False),
    ("5", "4=5", False),
    ("5", "5 or 6", False),
    ("5", r"5\text{ and }6", False),
    ("5", "$5$ or $6$", False),
    ("5", r"\boxed{4} \boxed{5}", False),
    ("5", "Sunday", False),
    ("$5$ or $6$", "$5$ or $6$", True),
    ("5", "", False),
    (r"\sqrt{5}", r"$\sqrt{5}$", True),
    ("5", "1" * 5000, False),
]
SLOW = [
    (r"2\sqrt{5}", r"2\sqrt{3}", False),
    (r"2\sqrt{5}", r"\sqrt{20}", True),
    ("$$\\pi $$", "π", True),
    (r"2\pi", "6.2831853", True),
    (r"\sqrt{2}", "sqrt(2)", True),
    (r"\sqrt{2}", "1.41", False),
    ("(3,4)", "$(3, 4)$", True),
    ("(3,4)", "(4,3)", False),
    ("[1,2)", "(1,2)", False),
    (r"\{1,2\}", r"\{2,1\}", True),
    ("3*x-1*y+13=0", "3x+4y+14=0", False),
    ("3x-y+13=0", "6x-2y+26=0", True),
    ("$1-1/e$", "$1+1/e$", False),
    ("10^{-7}", "0", False),
    ("0", "10^{-9}", False),
    ("5", "5, 6", False),
    ("5", "5 6", False),
    ("x>3", "3<x", True),
    ("x+1", "y+1", False),
    ("x^2-1", "(x-1)(x+1)", True),
    (r"\frac{\sqrt{2}}{3}", r"\frac{2}{3\sqrt{2}}", True),
]


@pytest.mark.parametrize(("truth", "answer", "right"), FAST)
def test_fast_path(truth: str, answer: str, right: bool) -> None:
    before = pool().counters["calls"]
    assert equivalent(answer, truth, INFO)[0] is right
    assert pool().counters["calls"] == before


@pytest.mark.parametrize(("truth", "answer", "right"), SLOW)
def test_formulas(truth: str, answer: str, right: bool) -> None:
    assert equivalent(answer, truth, INFO)[0] is right


@pytest.mark.parametrize("bomb", ["9^{9^{9^{9}}}", "9**9**9", "((((" * 200 + "1" + "))))" * 200, r"\frac{" * 150])
def test_bombs_end_at_the_deadline(bomb: str) -> None:
    equivalent(r"\log(2)", "x", INFO)  # workers are up
    start = time.monotonic()
    right, why = equivalent(bomb, r"\sqrt{2}", {"verify_timeout": 0.5})
    assert time.monotonic() - start < 30
    assert not right and why


def test_from_threads() -> None:
    pairs = [(f"(x-{n})(x+{n})", f"x^2-{n * n}") for n in range(2, 8)]
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda pair: equivalent(*pair, INFO)[0], pairs))


@pytest.mark.parametrize("text", ["1/0", r"\frac{1}{0}", "x", "1/2/3", "nan"])
def test_not_rational(text: str) -> None:
    assert rational(text) is None
