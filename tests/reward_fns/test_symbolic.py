from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from reward_fns.symbolic import equivalent, in_worker, pool

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
    ("0.5 m", "50cm", True),
    ("5 m", "5 cm", False),
    ("5 m", "5 min", False),
    ("12 square cm", "12 cm²", True),
    ("1 L", "1000 cm^3", True),
    ("1 L", "1000 cm^2", False),
    ("15 m/s", r"15\text{ m/s}", True),
    ("15 m/s", "54 km/h", True),
    (r"15 \text{ m/s}", r"15\text{ kg}", False),
    (r"15 \text{ m/s}", r"15 \text{ m}", False),
    (r"15 \text{ m/s}", r"15 \text{ km/h}", False),
    (r"15 \text{ m/s}", r"15 \text{ Pa}", False),
    ("30 km/h", "30", True),
    ("30 km/h", r"30\text{ km/h}", True),
    ("9.8 m/s^2", "9.8", True),
    (r"9.8\text{ m/s}^2", "9.8 m/s", False),
    ("12 N", "12", True),
    ("12", "12 N", True),
    (r"12 \text{ N}", r"12\text{ J}", False),
    (r"5\text{ Pa}", r"5\text{ K}", False),
    (r"5\text{ students}", r"5\text{ apples}", False),
    (r"5\text{ students}", r"5\text{ kg}", False),
    ("4s", "4 seconds", True),
    ("4s", "4", False),
    ("5", "$5$ cm", True),
    ("5", r"\boxed{5}\text{ cm}", True),
    ("5 cm", "$5$ m", False),
    ("30", "$30$°", True),
    ("1500", "$1,500", True),
    ("1500", r"\$1500", True),
    ("5 dollars", "$5", True),
    ("5 cm", "$5", False),
    ("5", "$5$ or $6$ cm", False),
    ("0.5", "½", True),
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
    (r"$\pi r^2 h$", r"\pi r^2", False),
    (r"\frac{1}{2}mg", r"\frac{1}{2}", False),
    (r"\frac{1}{2}ab", r"\frac{1}{2}", False),
    ("6h^2", "6", False),
    (r"\frac{v^2}{2g}", r"\dfrac{v^{2}}{2g}", True),
    (r"\sqrt{2g}", r"\sqrt{2\cdot g}", True),
    (r"5\sqrt{2}\text{ students}", r"5\sqrt{2}", True),
    (r"5\text{ students}", "5", True),
    (r"\frac{1}{2} V", r"\frac{V}{2}", True),
    (r"36\pi", r"36\pi cm^3", True),
    ("6\\sqrt{2}", "6√2", True),
    (r"\sqrt{12}", "√12", True),
    (r"\sqrt{1}2", "√12", False),
    ("1.5", "1½", True),
    ("2x-y+1=0", "y=2x+1", True),
    ("y=2x+1", "2x-y+1=0", True),
    ("2x-y+1=0", "y=2x", False),
    ("2x=y", "y=2x", True),
    ("x=5", "4=5", False),
    ("x=5", "x=x", False),
    ("x=2, x=3", "x=2", False),
    (r"\{2,3\}", "(3,2)", False),
    ("(2,3)", r"\left\{2,3\right\}", False),
    (r"\{2,3\}", "3,2", True),
    ("2,3", "2,2,3", False),
    (r"\frac{3^{2024}-1}{2}", r"\dfrac{3^{2024}-1}{2}", True),
    (r"\frac{3^{2024}-1}{2}", r"\frac{3^{2024}+1}{2}", False),
    ("2^{2023}", r"2^{2022}\cdot 2", True),
    ("2^{2023}", r"2^{2022}\cdot 3", False),
    ("1000!", "1000! + 0", True),
    (r"\frac{d}{dx} f(x)", r"\frac{d}{dx}(f(x))", True),
    (r"\frac{x^{2024}-1}{x-1}", r"\dfrac{x^{2024}-1}{x-1}", True),
    (r"\frac{x^{2024}-1}{x-1}", r"\frac{x^{2023}-1}{x-1}", False),
]


NAMED = [
    ("5", "AB = 5", True),
    ("5", "AB = 6", False),
    ("5", r"\overline{AB}=5", True),
    ("5", "|AB| = 5", True),
    ("5", r"\text{Area} = 5", True),
    ("5", "Area = 5", True),
    ("5", r"S_{\triangle ABC}=5", True),
    ("40°", r"\angle ABC = 40^\circ", True),
    ("40°", r"m\angle 1 = 40^\circ", True),
    ("40°", "∠ABC=50°", False),
    ("40°", "∠ABC=40°", True),
    ("40°", "θ = 40°", True),
    (r"\frac12", r"\cos A=\frac{1}{2}", True),
    (r"\frac12", r"\tan(\theta)=\frac{1}{2}", True),
    ("AB=5", "5", True),
    ("AB=5", r"\overline{BA}=5", True),
    ("AB=5", "CD=5", False),
    ("AB=2CD", r"CD=\frac{AB}{2}", True),
    ("AB=2CD", "CD=2AB", False),
    ("5", r"x \approx 5", True),
    *(("5", text, False) for text in ("AB=4+1=5", "2x=5", "x^2=5", "|x|=5", r"\sin 30=5", r"\pi=5", "AB+CD=5")),
    *(("5", text, False) for text in (r"4\approx5", "4≈5", r"4 \equiv 5", r"x=4\approx 5", r"x \equiv 5")),
    ("4", r"5\equiv 4", False),
    ("2345_6", "2345_6", True),
    ("2345_6", "2345_7", False),
    ("1011_2", "1011_{2}", True),
    ("1011_2", "1011_3", False),
    ("1011_2", "1011", True),
    ("14", "14_5", False),
    ("x_1+1", "1+x_1", True),
]


@pytest.mark.parametrize(("truth", "answer", "right"), NAMED)
def test_names_approximations_and_number_bases(truth: str, answer: str, right: bool) -> None:
    assert equivalent(answer, truth, INFO)[0] is right


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


def test_an_exception_in_a_worker_is_a_wrong_answer_and_an_event() -> None:
    before = pool().counters["failures"]
    assert in_worker("no_such_function", timeout=20) == "could not be compared"
    assert pool().counters["failures"] == before + 1


def test_from_threads() -> None:
    pairs = [(f"(x-{n})(x+{n})", f"x^2-{n * n}") for n in range(2, 8)]
    with ThreadPoolExecutor(4) as threads:
        assert all(threads.map(lambda pair: equivalent(*pair, INFO)[0], pairs))
