"""The number that a LaTeX arithmetic expression stands for, without eval: the numeric core of MathVision's rule.

MathVision runs `eval(str(latex2sympy(text)))` (latex2sympy2 1.9.1). This parser covers what that gives a number for:
numbers, + - * / : ^ ! \\%, brackets, \\frac, \\sqrt, \\pi, \\cdot, \\times, \\div and implicit products. Integers stay
integers, as there; letters, lists and other functions have no value.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable

MAX_CHARS = 500
MAX_DEPTH = 30
MAX_BITS = 4_000

_TOKEN = re.compile(
    r"\s*(?:(?P<number>[0-9]{1,3}(?:,[0-9]{3})++(?:\.[0-9]+)?|[0-9]++(?:\.[0-9]*)?|\.[0-9]++)"
    r"|\\(?P<command>frac|sqrt|pi|cdot|times|div|left|right|%)(?![a-z])|(?P<mark>[-+*/:^!(){}\[\]]))"
)
_TIMES = ("*", "cdot", "times")
_DIVIDED = ("/", ":", "div")
_BRACKETS = {"(": ")", "[": "]", "{": "}"}


class _NoNumber(Exception):
    pass


def latex_number(text: str) -> int | float | None:
    """The value, or None: not in this language, not finite, or too large to compute."""
    text = text.strip().strip("$")
    if not text or len(text) > MAX_CHARS:
        return None
    try:
        parser = _Parser(_tokens(text))
        value = parser.sum()
        return value if parser.done() and math.isfinite(value) else None
    except (_NoNumber, ValueError, ZeroDivisionError, OverflowError):
        return None


def _tokens(text: str) -> list[str]:
    tokens, at = [], 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if not match:
            raise _NoNumber
        if match["command"] not in ("left", "right"):
            tokens.append(match["number"] or match["command"] or match["mark"])
        at = match.end()
    return tokens


class _Parser:
    """Recursive descent over the tokens; every method consumes what it returns the value of."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens, self._at, self._depth = tokens, 0, 0

    def done(self) -> bool:
        return self._at == len(self._tokens)

    def sum(self) -> int | float:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _NoNumber
        value = self._product()
        while (mark := self._peek()) in ("+", "-"):
            self._at += 1
            value = value + self._product() if mark == "+" else value - self._product()
        self._depth -= 1
        return value

    def _product(self) -> int | float:
        value = self._signed(self._power)
        while mark := self._peek():
            if mark in _TIMES or mark in _DIVIDED:
                self._at += 1
                factor = self._signed(self._power)
                value = value * factor if mark in _TIMES else value / factor
            elif self._starts_value(mark):
                value = value * self._power()
            else:
                break
        return value

    def _signed(self, read: Callable[[], int | float]) -> int | float:
        sign = 1
        while (mark := self._peek()) in ("+", "-"):
            self._at += 1
            sign = -sign if mark == "-" else sign
        return sign * read()

    def _power(self) -> int | float:
        value = self._atom()
        while (mark := self._peek()) in ("!", "%", "^"):
            self._at += 1
            if mark == "!":
                value = _factorial(value)
            elif mark == "%":
                value = value / 100
            else:
                value = _raise(value, self._atom())
        return value

    def _atom(self) -> int | float:
        token = self._next()
        if token[0].isdigit() or token[0] == ".":
            return _literal(token)
        if token == "pi":
            return math.pi
        if token == "frac":
            return self._braced() / self._braced()
        if token == "sqrt":
            root = self._bracketed("[") if self._peek() == "[" else 2
            return math.sqrt(self._braced()) if root == 2 else self._braced() ** (1 / root)
        if token in _BRACKETS:
            self._at -= 1
            return self._bracketed(token)
        raise _NoNumber

    def _braced(self) -> int | float:
        return self._bracketed("{")

    def _bracketed(self, opening: str) -> int | float:
        if self._next() != opening:
            raise _NoNumber
        value = self.sum()
        if self._next() != _BRACKETS[opening]:
            raise _NoNumber
        return value

    def _starts_value(self, token: str) -> bool:
        return token in ("(", "[", "{", "frac", "sqrt", "pi") or token[0].isdigit() or token[0] == "."

    def _peek(self) -> str:
        return "" if self.done() else self._tokens[self._at]

    def _next(self) -> str:
        if self.done():
            raise _NoNumber
        self._at += 1
        return self._tokens[self._at - 1]


def _literal(token: str) -> int | float:
    """Decimals are fractions to the source: 6.0 is the integer 6."""
    whole, _, decimals = token.replace(",", "").partition(".")
    if not decimals.strip("0"):
        return int(whole or "0")
    return int(whole + decimals) / 10 ** len(decimals)


def _raise(base: int | float, exponent: int | float) -> int | float:
    bits = abs(exponent) * (base.bit_length() if isinstance(base, int) else 1)
    if bits > MAX_BITS:
        raise _NoNumber
    value = base**exponent
    if isinstance(value, complex):
        raise _NoNumber
    return value


def _factorial(value: int | float) -> int:
    if not isinstance(value, int) or value > 300:
        raise _NoNumber
    return math.factorial(value)
