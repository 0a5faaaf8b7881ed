"""The part of `symbolic` that may hang: runs only in the processes of `pool.Pool`."""

from __future__ import annotations

import logging
import re
from dataclasses import replace
from functools import lru_cache
from typing import Any

from .symbolic_values import SAMPLES

TOLERANCE = 1e-6
LARGEST = 1e150
"""Of the values that are compared: products of two of them are finite."""
_WORDS = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}\Z|\\text\{[^{}]*\}\S*\Z")
_SEPARATOR = re.compile(r",(?![0-9]{3}(?![0-9]))|;")
_WARM_UP = [(r"\frac{\sqrt{2}}{3}", "0.47"), ("x=1", "2x+y=3"), ("(1,2]", r"\{1,2\}"), (r"\pi", "x^2"), ("x>2", "2<x")]
_WARM_UP += [("x^2-4", "(x-2)(x+2)"), (r"\log(3)+1", r"\sin x"), (r"\frac{x+1}{x}", "1"), ("[1,2)", r"(1, \infty)")]


def prepare() -> None:
    """Import math-verify and fill its caches, so that the first call is not the slow one."""
    logging.disable(logging.CRITICAL)
    use_fast_prediction()
    for gold, answer in _WARM_UP:
        equivalent(gold, answer)
    published_rule("$1$", "answer: 1/2")


def use_fast_prediction() -> None:
    """Let the LaTeX parser predict without context first (ANTLR's SLL), and fully (LL) where that fails.

    By ANTLR's guarantee SLL gives the tree of LL or a syntax error, so only the time changes (an interval: 40 to 6 ms):
    what SLL decides is cached over formulas, what LL decides is not.
    """
    from antlr4.atn.PredictionMode import PredictionMode
    from latex2sympy2_extended.latex2sympy2 import _Latex2Sympy

    create = _Latex2Sympy.create_parser

    def create_fast(self: Any, text: str) -> Any:
        parser = create(self, text)
        parser._interp.predictionMode = PredictionMode.SLL
        predict = parser.math

        def math() -> Any:
            try:
                return predict()
            except Exception:
                return create(self, text).math()

        parser.math = math
        return parser

    _Latex2Sympy.create_parser = create_fast


def judge(gold: str | None, given: str | None, truth: str | None, answer: str | None) -> list[bool | None]:
    """[equivalent(gold, given), published_rule(truth, answer)], None for a pair that is not asked for."""
    return [
        None if gold is None or given is None else equivalent(gold, given),
        None if truth is None or answer is None else published_rule(truth, answer),
    ]


def published_rule(gold: str, answer: str) -> bool:
    """`verify(parse(gold), parse(answer))`, as OneThinker's reward calls it, without its signals."""
    from math_verify import parse, verify

    return bool(verify(parse(gold, parsing_timeout=None), parse(answer, parsing_timeout=None), timeout_seconds=None))


def equivalent(gold: str, answer: str) -> bool:
    """Whether two formula bodies are equal to math-verify and agree numerically.

    The second check refuses what the first lets through: 50% for 50, 1e-7 for 0, and whatever it misreads.
    """
    from math_verify import verify

    left, right = _parse(gold), _parse(answer)
    if left is None or right is None or {_bracket(gold), _bracket(answer)} == {"(", "{"}:
        return False
    if _surplus(gold, left) != _surplus(answer, right):
        return False
    return bool(verify(left, right, timeout_seconds=None)) and _agree(left, right)


@lru_cache(maxsize=64)
def _parse(body: str) -> Any:
    from math_verify import LatexExtractionConfig, parse

    config = LatexExtractionConfig(boxed_match_priority=-1)
    # Its units hold t, h, c, l, o, s, ab and bc: factors here, where the real ones have been taken off.
    config = replace(config, normalization_config=replace(config.normalization_config, units=bool(_WORDS.search(body))))
    found = parse(f"${body}$", [config], fallback_mode="no_fallback", parsing_timeout=None)
    return found[0] if len(found) == 1 else None


def _bracket(body: str) -> str:
    """The kind of bracket round the body: { of a set, ( of a pair or an interval, "" for none."""
    body = re.sub(r"\\(?:left|right)(?![a-z])", "", body).strip()
    if body[:2] == r"\{" and body[-2:] == r"\}":
        return "{"
    return "(" if body[:1] in ("(", "[") and body[-1:] in (")", "]") else ""


def _surplus(body: str, value: Any) -> int:
    """How many elements a list without brackets names again: they are lost in the set that math-verify makes of it."""
    from sympy import FiniteSet

    if not isinstance(value, FiniteSet) or _bracket(body):
        return 0
    return max(0, len(_SEPARATOR.findall(body)) + 1 - len(value))


def _agree(left: Any, right: Any) -> bool:
    """Equal at the sample points, for expressions and (up to a factor) for equations; True for what has no value."""
    from sympy import Eq, Expr

    if isinstance(left, Eq) and isinstance(right, Eq):
        lefts, rights = _sample(left), _sample(right)
        return not (lefts and rights) or _close([a * rights[0] for a in lefts], [b * lefts[0] for b in rights])
    if not (isinstance(left, Expr) and isinstance(right, Expr)):
        return True
    if left.free_symbols != right.free_symbols:
        return False
    lefts, rights = _sample(left), _sample(right)
    return not (lefts and rights) or _close(lefts, rights)


def _close(lefts: list[complex], rights: list[complex]) -> bool:
    return all(abs(a - b) <= TOLERANCE * max(abs(a), abs(b)) for a, b in zip(lefts, rights, strict=True))


def _sample(expression: Any) -> list[complex]:
    """The values (of an equation: of the difference) at the sample points, [] if one is unknown or too large."""
    from sympy import Eq

    symbols = sorted(expression.free_symbols, key=str)
    try:
        values = []
        if isinstance(expression, Eq):
            expression = expression.lhs - expression.rhs
        for shift, _ in enumerate(SAMPLES):
            point = {symbol: SAMPLES[(shift + at) % 3] + at // 3 for at, symbol in enumerate(symbols)}
            values.append(complex(expression.doit().subs(point).evalf()))
    except (TypeError, ValueError, AttributeError, ZeroDivisionError, OverflowError, RecursionError):
        return []
    # False for nan, too.
    return values if all(abs(part) < LARGEST for value in values for part in (value.real, value.imag)) else []
