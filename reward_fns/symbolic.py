"""Mathematical answers: plain numbers, fractions, letters and words here; everything else in `symbolic_worker`.

Both sides are reduced to the body of one formula before they meet a parser, because undelimited LaTeX makes
math-verify compare only what it recognises (2\\sqrt{5} would equal 2\\sqrt{3}).
"""

from __future__ import annotations

import atexit
import os
import re
import threading
from collections.abc import Mapping
from decimal import Decimal
from fractions import Fraction
from functools import lru_cache
from typing import Any, NamedTuple

from .choice import read_letter
from .normalize import belongs_together, plain
from .notation import has_split_digits, rational, spelled_out, squeezed, to_latex
from .number import parse_number
from .pool import CallCrashed, CallFailed, CallTimeout, Pool
from .symbolic_values import decided
from .units import DEGREES, DOLLAR, UNIT, Unit, other_unit, split_unit

MAX_CHARS = 1_000
POOL_SIZE = 2

_WRAPPERS = [("$$", "$$"), ("$", "$"), (r"\(", r"\)"), (r"\[", r"\]"), (r"\boxed{", "}"), ("**", "**"), ("`", "`")]
_UNIT_OUTSIDE = re.compile(rf"(.*[$)\]}}*`])({UNIT}|{DEGREES})", re.DOTALL)
_WORD = re.compile(r"(?<![\\A-Za-z])[A-Za-z]{3,}(?![A-Za-z])|(?<![\\A-Za-z])(?:or|so|is|to|no|if)(?![A-Za-z])")
_FUNCTIONS = frozenset(("sin", "cos", "tan", "cot", "sec", "csc", "log", "exp", "lim", "max", "min", "gcd", "lcm"))
_LETTERS_ONLY = re.compile(r"[A-Za-z][A-Za-z\s.,'-]+")
_BARE_NUMBER = re.compile(r"-?[0-9]{1,12}(?:\.[0-9]{1,12})?")
_NAME = (
    r"(?:\\(?:sin|cos|tan|cot|sec|csc)\s*+\(?\s*+)?(?:m\s*+(?=\\angle))?(?:\\(?:angle|triangle)\s*+)?"
    r"(?:[A-Z]{2,4}|[A-Z][a-z]{2,15}|[A-Za-z]|(?<=\\angle )[1-9]|\|[A-Z]{2}\||(?!\\pi\b)\\[a-z]{2,9}"
    r"|\\(?:overline|text|mathrm)\s*\{[A-Za-z ]{1,30}\})"
    r"(?:_\{?(?:\\triangle\s*|\\text\s*\{)?\w{1,12}\}{0,2}|\(\w\))?\)?"
)
"""A variable, angle, side, quantity, or a function of one; no 2x, x^2, |x|, \\sin 30: their value is another's."""
_ASSIGNED = re.compile(rf"(?P<name>{_NAME})\s*(?:=|\\approx\b)\s*(?P<value>[^=]+)")
_NAME_MARKS = re.compile(r"\\(?:overline|text|mathrm|angle)\b|m\s*(?=\\angle)|[\s{}()|]")
_NUMBER_BASE = re.compile(r"[0-9]\s*_\s*\{?\s*\(?\s*([0-9]{1,3})")


class Formula(NamedTuple):
    """One formula without its delimiters."""

    body: str
    unit: Unit | None
    """Trailing unit; taken off the body."""
    product: str = ""
    """The body with the unit, where this may be a variable (`4s`)."""


def read_formula(text: str) -> Formula | None:
    """The one formula that the text is, None if it is empty, too long, or several formulas."""
    text = text.strip()
    if not text or len(text) > MAX_CHARS:
        return None
    body = _strip_delimiters(to_latex(text)).rstrip(".,;").strip()
    outside = _UNIT_OUTSIDE.fullmatch(body)
    if outside and (inside := _strip_delimiters(outside[1])) != outside[1]:
        body = f"{inside} {outside[2]}"
    if not body or r"\boxed" in body:
        return None
    if "$" in body:
        return Formula(re.sub(r"\\?\$", "", body).strip(), DOLLAR) if parse_number(body) else None
    value, unit, variable = split_unit(body)
    return Formula(value, unit, body if variable else "")


def _strip_delimiters(text: str) -> str:
    for _ in range(4):
        for left, right in _WRAPPERS:
            if text.startswith(left) and text.endswith(right) and len(text) > len(left) + len(right):
                inside = text[len(left) : len(text) - len(right)].strip()
                if belongs_together(left, inside, right):
                    text = inside
                    break
        else:
            break
    return text


class Question(NamedTuple):
    """What the quick rules make of an answer: decided, or two formulas for a worker to compare."""

    right: bool | None
    """None: a worker must compare `gold` and `given`."""
    why: str
    gold: str = ""
    given: str = ""


def equivalent(answer: str, truth: str, info: Mapping[str, Any]) -> tuple[bool, str]:
    """(whether the answer has the same value as the truth, why not). At most one call to a worker.

    Right: equal numbers (relative error up to 1e-6), the letter or words of the truth, or a formula that math-verify
    calls equal and that agrees with the truth at sample points. Wrong unread: prose round the formula, several
    formulas, chains of equations, a unit of another kind, answers over 1,000 characters.
    """
    question = decide(answer, truth)
    if question.right is not None:
        return question.right, question.why
    result = in_worker("equivalent", question.gold, question.given, timeout=float(info.get("verify_timeout", 1)))
    return (False, result) if isinstance(result, str) else (bool(result), "not equal")


def decide(answer: str, truth: str) -> Question:
    """The quick rules, in this process; ValueError for an empty truth."""
    if not truth.strip():
        raise ValueError("ground_truth is empty")
    gold, given = read_formula(truth), read_formula(answer)
    if gold is None:
        return Question(plain(answer) == plain(truth), "not the expected text")
    if len(gold.body) == 1 and gold.body.isupper():
        letter, why = read_letter(answer, {})
        return Question(letter == gold.body, why or f"{letter} is not {gold.body}")
    if given is None:
        return Question(False, "not one formula")
    if squeezed(spelled_out(gold.body)) == squeezed(spelled_out(given.body)) and gold.unit == given.unit:
        return Question(True, "")
    if (words := _words(gold.body)) is not None:
        return Question(plain(_words(given.body) or "") == plain(words), "not the expected words")
    gold_other, given_other = other_unit(gold.body), other_unit(given.body)
    if (gold.unit or gold_other) and (given.unit or given_other) and gold_other != given_other:
        return Question(False, "not the expected unit")
    if not (gold.unit and given.unit):
        return _decide_values(gold.body if given.unit else gold.product or gold.body, given.body)
    if gold.unit[:2] != given.unit[:2]:
        return Question(False, "not the expected unit")
    return _decide_values(gold.body, given.body, given.unit.size / gold.unit.size)


def _decide_values(gold_body: str, given_body: str, size: Fraction = Fraction(1)) -> Question:
    """`size`: of the answer's unit, in units of the gold."""
    (gold_name, gold), (given_name, given) = _sides(gold_body), _sides(given_body)
    solved = bool(gold_name and given_name and gold_name != given_name)
    if solved and given_name not in gold:
        return Question(False, f"{given_name} is not {gold_name}")
    if solved or (bool(gold_name) != bool(given_name) and (given if gold_name else gold).count("=") == 1):
        # y = 2x + 1, 2x - y + 1 = 0 and x = (y - 1)/2: equations, not values.
        gold, given = spelled_out(gold_body), spelled_out(given_body)
    if has_split_digits(gold) or has_split_digits(given):
        return Question(False, "digits that are split by spaces")
    if (bases := _NUMBER_BASE.findall(given)) and bases != _NUMBER_BASE.findall(gold):
        return Question(False, "another number base")
    left, right = rational(gold), rational(given)
    if left is not None and right is not None:
        why = f"{given} is not {gold}" if size == 1 else "another value, in the gold's unit"
        return Question(abs(left - right * size) <= abs(left) / 10**6, why)
    if size != 1:
        return Question(False, "a formula in another unit")
    if left is not None and _words(given) is not None:
        return Question(False, "words, not a number")
    if any(given.count(sign) > gold.count(sign) for sign in ("=", r"\approx", r"\equiv")):
        return Question(False, "a chain of equations")
    allowed = set(_WORD.findall(gold_body)) | _FUNCTIONS
    if strange := [word for word in _WORD.findall(given) if word not in allowed]:
        return Question(False, f"words in the formula: {strange[0]}")
    return Question(decided(gold, given), "not equal", gold, given)


def is_formula(truth: str) -> bool:
    """Whether these rules can decide about a truth: a number, a formula, or at most two words; no prose."""
    gold = read_formula(truth)
    if gold is None or "\n" in gold.body or has_split_digits(spelled_out(gold.body)):
        return False
    if words := _words(gold.body):
        return len(words.split()) <= 2
    return not set(_WORD.findall(gold.body)) - _FUNCTIONS


def in_worker(function: str, *args: str | None, timeout: float) -> Any:
    """What `symbolic_worker` answers, or a text why it could not: the answer's fault, counted in `pool().counters`."""
    try:
        return _asked(function, args, timeout)
    except CallTimeout:
        return f"took over {timeout} s"
    except CallCrashed:
        return "crashed the worker twice"
    except CallFailed:
        return "could not be compared"


@lru_cache(maxsize=4096)
def _asked(function: str, args: tuple[str | None, ...], timeout: float) -> Any:
    """One call of a worker. The responses to one prompt often give the same answer; failures are not remembered."""
    return pool().call(f"reward_fns.symbolic_worker:{function}", *args, timeout=timeout)


def same_bare_number(left: str, right: str) -> bool | None:
    """Whether two plain decimals are equal; None where that is not certain to be math-verify's view as well."""
    texts = [re.sub(r"\A(\$\$?)(.*)\1\Z", r"\2", text.strip()).strip() for text in (left, right)]
    if not all(_BARE_NUMBER.fullmatch(text) for text in texts):
        return None
    gap = abs(Decimal(texts[0]) - Decimal(texts[1]))
    # math-verify rounds to six decimals.
    return None if 0 < gap < Decimal("1e-5") else gap == 0


def _words(body: str) -> str | None:
    text = re.sub(r"\\(?:text|mathrm|textbf|mathbf)\{([^{}]*)\}", r"\1", body)
    return text if _LETTERS_ONLY.fullmatch(text.strip()) else None


def _sides(body: str) -> tuple[str, str]:
    """(name, value) of `x = …`, `f(x) = …`, `\\angle A = …`; ("", body) of anything else. ABC is also called CBA."""
    match = _ASSIGNED.fullmatch(body)
    if not match:
        return "", spelled_out(body)
    name = _NAME_MARKS.sub("", match["name"])
    return min(name, name[::-1]) if name.isupper() else name, spelled_out(match["value"].strip())


_pools: dict[int, Pool] = {}
_pools_lock = threading.Lock()


def pool() -> Pool:
    """This process's pool; a process that was forked from it gets its own."""
    process = os.getpid()
    with _pools_lock:
        if process not in _pools:
            _pools.clear()
            _pools[process] = Pool(POOL_SIZE, prepare="reward_fns.symbolic_worker:prepare")
            atexit.register(_pools[process].close)
        return _pools[process]
