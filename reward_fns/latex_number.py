"""The number that a LaTeX arithmetic expression stands for, without eval: the numeric core of MathVision's rule.

MathVision runs `eval(str(latex2sympy(text)))` (latex2sympy2 1.9.1, its names from `math`). This parser covers what that
gives a real number for. Integers stay integers, as there. Its traps: implicit products bind tighter than a division
(1/2\\pi is 1/(2\\pi)), 2\\frac{1}{2} is 1, angles are radians, e and \\ln 2 have no value, e^2 and \\ln_3 2 have one.

Left out: determinants, \\binom and \\gcd of anything but whole numbers, and a slip of SymPy's printer, which loses the
brackets of some denominators behind a minus sign: -\\frac{1}{2\\pi} is evaluated as -1/2*pi there, as -1/(2\\pi) here.
"""

from __future__ import annotations

import math
from collections.abc import Callable

from .latex_tokens import BAD, END, tokens_of

MAX_CHARS = 500
MAX_DEPTH = 30
MAX_BITS = 4_000
MAX_COUNT = 1_000
"""Largest argument of ! and \\binom."""

_CONSTANTS = {"pi": math.pi, "tau": math.tau}
_TIMES = ("*", "cdot", "times")
_DIVIDED = ("/", ":", "div", "over")
_BRACKETS = {"(": ")", "[": "]", "{": "}", r"\{": r"\}", "lbrace": "rbrace", "lfloor": "rfloor"}
_BRACKETS |= {f"left{opening}": f"right{closing}" for opening, closing in _BRACKETS.items()}
_FUNCTIONS: dict[str, Callable[[int | float], int | float]] = {
    **{name: getattr(math, name) for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh", "floor")},
    **{f"arc{name}": getattr(math, f"a{name}") for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    **{f"ar{name}": getattr(math, f"a{name}") for name in ("sinh", "cosh", "tanh")},
}


class _NoNumber(Exception):
    pass


def latex_number(text: str, *, leading: bool = False) -> int | float | None:
    """The value, or None: not in this language, not finite, or too large to compute.

    leading: the authors' reading, which ignores what follows a complete value, if it cannot continue it ("6)", "6_0",
    "6.", "6 triangles", whose tr is a token), and knows no exponents in round brackets.
    """
    if len(text) > MAX_CHARS:
        return None
    try:
        parser = _Parser(tokens_of(text), leading)
        value = parser.relation()
        done = parser.peek() != BAD if leading else parser.peek() == ""
        small = value.bit_length() <= MAX_BITS if isinstance(value, int) else math.isfinite(value)
        return value if done and small else None
    except (_NoNumber, ValueError, ZeroDivisionError, OverflowError):
        return None


class _Parser:
    """Recursive descent over the tokens; every method consumes what it returns the value of."""

    def __init__(self, tokens: list[str], leading: bool) -> None:
        self._tokens, self._leading, self._at, self._depth = tokens, leading, 0, 0

    def relation(self) -> int | float:
        value = self._sum()
        while (mark := self.peek()) in ("<", ">", "le", "ge"):
            self._at += 1
            other = self._sum()
            larger, smaller = (other, value) if mark in ("<", "le") else (value, other)
            value = int(larger > smaller or (mark in ("le", "ge") and larger == smaller))
        return value

    def _sum(self) -> int | float:
        value = self._product()
        while (mark := self.peek()) in ("+", "-"):
            self._at += 1
            value = value + self._product() if mark == "+" else value - self._product()
        return value

    def _product(self, in_argument: bool = False) -> int | float:
        value = self._signed(in_argument)
        while (mark := self.peek()) in _TIMES or mark in _DIVIDED:
            self._at += 1
            factor = self._signed(in_argument)
            value = value * factor if mark in _TIMES else value / factor
        return value

    def _signed(self, in_argument: bool) -> int | float:
        """A function's argument without brackets ends at the next function, root or e."""
        sign = 1
        while (mark := self.peek()) in ("+", "-"):
            self._at += 1
            sign = -sign if mark == "-" else sign
        value = self._factor()
        while self._continues(self.peek(), in_argument):
            value = value * self._factor()
        return sign * value

    def _continues(self, token: str, in_argument: bool) -> bool:
        if token in _FUNCTIONS or token in ("sqrt", "e", "exp", "log", "ln") or token.startswith(("gcd", "lcm")):
            return not in_argument
        return token in _BRACKETS or token in _CONSTANTS or token in ("frac", "binom") or _is_number(token)

    def _factor(self) -> int | float:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise _NoNumber
        value = self._atom(self._next())
        while self.peek() == "^":
            value = _raise(value, self._script())
            if self.peek() == "_":
                self._script()
        while (mark := self.peek()) in ("!", "'"):
            self._at += 1
            value = _factorial(value) if mark == "!" else value
        self._depth -= 1
        return value

    def _atom(self, token: str) -> int | float:
        if _is_number(token):
            return _literal(token)
        if token in _CONSTANTS:
            return _CONSTANTS[token]
        if token in _BRACKETS:
            return self._inside(token)
        if token == "frac":
            return self._braced() / self._braced()
        if token == "binom":
            return _binomial(self._braced(), self._braced())
        if token == "sqrt":
            root = self._inside(self._next()) if self.peek() == "[" else 2
            value = self._braced()
            return math.sqrt(value) if root == 2 else _raise(value, 1 / root)
        if token == "e" and self.peek() == "^":
            power = self._script()
            if self.peek() != "_":
                return _exp(power)
        if token in _FUNCTIONS or token in ("exp", "log", "ln"):
            return self._function(token)
        if token.startswith(("gcd", "lcm")):
            return (math.gcd if token[0] == "g" else math.lcm)(*map(int, token[4:-1].split(",")))
        raise _NoNumber

    def _function(self, name: str) -> int | float:
        scripts: dict[str, int | float] = {}
        while (mark := self.peek()) in ("_", "^") and mark not in scripts:
            scripts[mark] = self._script()
        bracketed = self.peek() in ("(", "left(")
        argument = self._inside(self._next()) if bracketed else self._product(in_argument=True)
        power = scripts.get("^", 0)
        if power == -1 and f"arc{name}" in _FUNCTIONS:
            name, power = f"arc{name}", 0
        if name == "ln" and "_" not in scripts:
            raise _NoNumber
        if name in ("log", "ln"):
            value: int | float = math.log(argument, scripts.get("_", 10))
        else:
            value = _exp(argument) if name == "exp" else _FUNCTIONS[name](argument)
        return _raise(value, power) if power else value

    def _script(self) -> int | float:
        """Behind ^ or _: a number, a constant or braces."""
        self._at += 1
        token = self._next()
        if _is_number(token) or token in _CONSTANTS or token == "{" or (token == "(" and not self._leading):
            return self._atom(token)
        raise _NoNumber

    def _braced(self) -> int | float:
        if self._next() != "{":
            raise _NoNumber
        return self._inside("{")

    def _inside(self, opening: str) -> int | float:
        value = self._sum()
        if opening == "{" and self.peek() == "choose":
            self._at += 1
            value = _binomial(value, self._sum())
        if self._next() != _BRACKETS[opening]:
            raise _NoNumber
        return math.floor(value) if opening.endswith("lfloor") else value

    def peek(self) -> str:
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def _next(self) -> str:
        token = self.peek()
        if token in ("", BAD, END):
            raise _NoNumber
        self._at += 1
        return token


def _is_number(token: str) -> bool:
    return token[:1].isdigit() or token[:1] in (".", ",")


def _literal(token: str) -> int | float:
    """Decimals and percents are fractions to the source: 6.0 is the integer 6, 600\\% too."""
    whole, _, decimals = token.rstrip("\\%").replace(",", "").partition(".")
    value, divisor = int(whole + decimals), 10 ** (len(decimals) + 2 * token.endswith("%"))
    return value / divisor if value % divisor else value // divisor


def _exp(power: int | float) -> int | float:
    """E to the power; exp(1) becomes the name E there, which has no value."""
    if isinstance(power, int):
        if power == 1:
            raise _NoNumber
        if power == 0:
            return 1
    return math.exp(power)


def _raise(base: int | float, exponent: int | float) -> int | float:
    bits = abs(exponent) * (base.bit_length() if isinstance(base, int) else 1)
    if bits > MAX_BITS:
        raise _NoNumber
    value: int | float | complex = base**exponent
    if isinstance(value, complex):
        raise _NoNumber
    return value


def _factorial(value: int | float) -> int:
    if not isinstance(value, int) or value > MAX_COUNT:
        raise _NoNumber
    return math.factorial(value)


def _binomial(total: int | float, chosen: int | float) -> int:
    if not isinstance(total, int) or not isinstance(chosen, int) or not 0 <= total <= MAX_COUNT:
        raise _NoNumber
    return math.comb(total, chosen) if chosen >= 0 else 0
