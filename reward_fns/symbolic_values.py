"""Formulas that arithmetic decides here, because a worker's parse takes milliseconds: constants and polynomials.

Only a plain language is read, in which no notation has two readings: numbers, one-letter names, + - * / ^, round
brackets, \\frac, \\sqrt, \\pi, \\cdot, \\times. Mixed numbers, 1/2x, x(y), a^12, sets and functions go to a worker.
"""

from __future__ import annotations

import re

from .latex_number import latex_number

SAMPLES = (0.7310585, 1.3178903, 2.2360113)
FAR, NEAR, SMALL = 1e-5, 1e-12, 1e-6
"""Values further apart than FAR (relative) differ, closer than NEAR are equal; in between, and below SMALL, a worker
computes with more digits."""

MAX_CHARS = 120
_NUMBER = r"[0-9]{1,12}(?:\.[0-9]{1,12})?"
# e, i and d have meanings of their own.
_NAME = r"(?<![\\a-zA-Z])[a-cf-hj-z](?![a-zA-Z])"
_PLAIN = re.compile(rf"(?:{_NUMBER}(?![0-9.])|{_NAME}|\\(?:frac|sqrt|pi|cdot|times)(?![a-zA-Z])|[-+*/^(){{}}]|\s)+")
_TWO_READINGS = re.compile(
    r"[0-9]\s*\\frac|[0-9]\s+[0-9.]|[)}]\s*[0-9]|[a-z]\s*\(|\\pi\s*[0-9(]"
    r"|\}\s*\^|\)\s*\^\s*[^0-9{]|\^\s*[^0-9a-z{]|\^[0-9a-z]\s*[0-9a-z({^\\]"
    r"|(?<!frac)(?<!sqrt)(?<![\^}])\{|[\^t]\{[^{}]*\}\s*\{"
    r"|/\s*(?![0-9a-z(])|/\s*(?:[0-9.]+|[a-z]|\([^()]*\))\s*(?![-+*/)}]|\\cdot|\\times|\Z)"
    r"|[-+*/^]\s*[-+*/^]|(?:cdot|times)\s*[-+*/^]"
)


def decided(gold: str, given: str) -> bool | None:
    """Whether two formula bodies have the same value; None: this cannot be told here.

    Of formulas with names, and of equations, only that they differ: equality at sample points is no proof.
    """
    if max(len(gold), len(given)) > MAX_CHARS or gold.count("=") != given.count("=") or gold.count("=") > 1:
        return None
    if "=" in gold:
        return _proportional(gold.split("="), given.split("="))
    names = _names(gold + " " + given)
    left, right = _values(gold, names), _values(given, names)
    if not left or not right:
        return None
    if any(_apart(a, b) for a, b in zip(left, right, strict=True)):
        return False
    return True if not names and abs(left[0] - right[0]) <= NEAR * abs(left[0]) else None


def _proportional(left: list[str], right: list[str]) -> bool | None:
    """False for equations that are no multiples of each other; else unknown."""
    names = _names("=".join(left))
    if names != _names("=".join(right)):
        return None
    sides = [_values(text, names) for text in (*left, *right)]
    if not all(sides):
        return None
    golds = [a - b for a, b in zip(sides[0], sides[1], strict=True)]
    givens = [a - b for a, b in zip(sides[2], sides[3], strict=True)]
    pairs = [(a * givens[0], b * golds[0]) for a, b in zip(golds, givens, strict=True)]
    return False if any(_apart(a, b) for a, b in pairs) else None


def _apart(a: float, b: float) -> bool:
    return max(abs(a), abs(b)) > SMALL and abs(a - b) > FAR * max(abs(a), abs(b), 1.0)


def _values(body: str, names: list[str]) -> list[float]:
    """The value, or with names those at three sample points; [] outside the plain language."""
    body = re.sub(r"\\[dt]frac", r"\\frac", re.sub(r"\\(?:left|right)(?![a-z])", "", body)).strip()
    if not _PLAIN.fullmatch(body) or _TWO_READINGS.search(body):
        return []
    values = []
    for shift in range(len(SAMPLES) if names else 1):
        at = {name: f"({SAMPLES[(shift + place) % 3] + place // 3})" for place, name in enumerate(names)}
        value = latex_number(re.sub(_NAME, lambda name, at=at: at[name.group()], body))  # type: ignore[misc]
        if value is None or abs(value) > 1e12:
            return []
        values.append(float(value))
    return values


def _names(body: str) -> list[str]:
    return sorted(set(re.findall(_NAME, body)))
