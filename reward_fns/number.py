"""Numbers: exact, integer, and the relaxed match of chart questions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any, NamedTuple

from .normalize import fold, unwrap
from .text import items, same_items
from .verdict import Verdict, binary, wrong

MAX_CHARS = 64
_NUMBER = re.compile(
    r"(?P<sign>[+-]?)\s?(?P<currency>(?:\\?\$|[€£])\s?)?(?P<sign2>[+-]?)"
    r"(?P<digits>(?:[0-9]{1,3}(?:,[0-9]{3})++|[0-9]{1,3}(?:[ \u00a0\u202f][0-9]{3})++|[0-9]++)(?:\.[0-9]*+)?|\.[0-9]++)"
    r"(?P<exponent>[eE][+-]?[0-9]{1,3})?(?:\s?(?P<percent>\\?%)|\s?[$€£])?\.?"
)


class Number(NamedTuple):
    """One number as written."""

    value: Decimal
    """With a percent sign already divided by 100."""
    percent: bool
    """Whether a percent sign stood behind it."""


def parse_number(text: str) -> Number | None:
    """The number that is the whole text, else None.

    Understood: sign, thousands separators (commas, or spaces between groups of three), decimals, exponent, one currency
    sign, a percent sign, a trailing dot, wrapping (`unwrap`). Refused: nan, inf, 1_000, hex, units, two numbers.
    """
    if len(text) > MAX_CHARS:
        return None
    match = _NUMBER.fullmatch(unwrap(fold(text)).replace("{,}", ","))
    if not match or (match["sign"] and match["sign2"]):
        return None
    digits = re.sub(r"[,\s]", "", match["digits"])
    value = Decimal(f"{match['sign']}{match['sign2']}{digits}{match['exponent'] or ''}")
    if abs(value.adjusted()) > 300:
        return None
    return Number(value.scaleb(-2) if match["percent"] else value, bool(match["percent"]))


def truth_number(ground_truth: Any) -> Number:
    """The number of a row whose truth must be one; ValueError otherwise."""
    number = parse_number(str(ground_truth))
    if number is None:
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r} is not a number")
    return number


def verify_integer(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """1 if the answer is one number equal to the integer (37 and 37.0; never truncated, never a percentage)."""
    truth = truth_number(ground_truth)
    number = parse_number(answer)
    if number is None or number.percent:
        return wrong("not one plain number")
    return binary(number.value == truth.value, str(number.value), f"{number.value} is not {truth.value}")


def relaxed_official(answer: str, truth: str) -> float:
    """Relaxed accuracy, tolerance 5 % inclusive (ChartQA section 5.1; pix2struct metrics.py, quirks kept).

    A text that ends with % is its float over 100; gold 0 and texts that are no float are compared as lower-case text.
    """
    predicted, gold = _pix2struct_float(answer), _pix2struct_float(truth)
    if predicted is not None and gold:
        # nan compares false, inf is out of reach: both wrong, as in the source.
        return float(abs(predicted - gold) / abs(gold) <= 0.05)
    return float(answer.lower() == truth.lower())


def _pix2struct_float(text: str) -> float | None:
    try:
        return float(text.rstrip("%")) / 100.0 if text.endswith("%") else float(text)
    except ValueError:
        return None


def verify_relaxed(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: relaxed accuracy. Reward: dense for numbers, order-free equality for lists, else normalised equality.

    Dense: 1 up to a relative error of 1 %, linear to 0.5 at 5 %, 0 beyond. Golds that can be years (integers 1500-2100
    written with four plain digits) are exact, as 5 % of a year is a century.
    """
    truth = str(ground_truth)
    official = relaxed_official(answer, truth)
    reward, parsed, note = _relaxed_reward(answer, truth)
    return Verdict(official, reward, parsed, note)


def _relaxed_reward(answer: str, truth: str) -> tuple[float, Any, str]:
    gold, number = parse_number(truth), parse_number(answer)
    # [100,200] is a list, not 100200 in brackets.
    if gold is None or len(items(truth) or []) > 1:
        return (1.0, answer, "") if same_items(answer, truth) else (0.0, None, "not the expected text")
    if number is None:
        return 0.0, None, "not one number"
    if number.value == gold.value:
        return 1.0, str(number.value), ""
    if gold.value == 0 or re.fullmatch(r"1[5-9][0-9]{2}|20[0-9]{2}|2100", truth.strip()):
        return 0.0, str(number.value), f"{number.value} is not {gold.value}"
    error = float(abs((number.value - gold.value) / gold.value))
    return dense_error(error), str(number.value), f"relative error {error:.3g}"


def dense_error(error: float) -> float:
    """1 up to 1 %, linear to 0.5 at 5 %, 0 beyond."""
    if error <= 0.01:
        return 1.0
    return 1.0 - 0.5 * (error - 0.01) / 0.04 if error <= 0.05 else 0.0
