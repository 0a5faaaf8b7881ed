"""MathVista: choice texts, integers, floats and lists."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .choice import read_letter, written
from .json_bounded import BadJSON, is_number, loads
from .normalize import plain
from .number import parse_number, truth_number
from .verdict import Verdict

_BRACKETED_LETTER = re.compile(r"\(([a-zA-Z])\)")
_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"


def verify_mathvista(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: stage 2 of the authors' scorer on the answer text. Reward: by `question_type` and `answer_type`."""
    truth = str(ground_truth)
    choices = _choices(info)
    if info.get("question_type") == "multi_choice":
        if truth not in choices:
            raise ValueError(f"ground_truth {truth[:80]!r} is not among the choices {choices}")
        right, parsed = _right_choice(answer, truth, choices)
    elif info.get("answer_type") == "float":
        right, parsed = _right_float(answer, truth, _precision(info))
    elif info.get("answer_type") == "list":
        right, parsed = _right_list(answer, truth), answer
    elif info.get("answer_type") == "integer":
        number = parse_number(answer)
        right = number is not None and not number.percent and number.value == truth_number(truth).value
        parsed = number and str(number.value)
    else:
        right, parsed = bool(plain(answer)) and plain(answer) == plain(truth), answer
    official = mathvista_official(answer, info, choices)
    return Verdict(float(official == truth), float(right), parsed, "" if right else f"not {truth}")


def mathvista_official(extraction: str, info: Mapping[str, Any], choices: list[str]) -> str | None:
    """evaluation/calculate_score.py, normalize_extracted_answer; right if it equals the gold text.

    Choices: the first `(x)`, or a bare capital, as an index, else the choice at the smallest edit distance, so that
    anything picks something. Integers are truncated (14.9 is 14), floats rounded in binary and written without trailing
    zeros, lists compared as text.
    """
    if info.get("question_type") == "multi_choice":
        return _nearest_choice(extraction.strip(), choices)
    precision = _precision(info) if info.get("answer_type") == "float" else 0
    try:
        if info.get("answer_type") == "integer":
            return str(int(float(extraction)))
        if info.get("answer_type") == "float":
            return str(round(float(extraction), precision))
    except (ValueError, OverflowError):
        return None
    return extraction


def _precision(info: Mapping[str, Any]) -> int:
    """Decimals of a float answer (the hub has them as floats, too); ValueError for a row that does not say."""
    if info.get("precision") is None:
        raise ValueError("a row with answer_type float has no precision")
    return int(float(info["precision"]))


def _nearest_choice(extraction: str, choices: list[str]) -> str:
    from rapidfuzz.distance import Levenshtein

    if bracketed := _BRACKETED_LETTER.search(extraction):
        extraction = bracketed[1].upper()
    if len(extraction) == 1 and extraction in _LETTERS[: len(choices)]:
        return choices[_LETTERS.index(extraction)]
    return min(choices, key=lambda choice: Levenshtein.distance(extraction, choice))


def _choices(info: Mapping[str, Any]) -> list[str]:
    choices = info.get("choices") or []
    return [str(choice) for choice in (choices.values() if isinstance(choices, Mapping) else choices)]


def _right_choice(answer: str, truth: str, choices: list[str]) -> tuple[bool, Any]:
    letter, _ = read_letter(answer, dict(zip(_LETTERS, choices, strict=False)))
    at = _LETTERS.find(letter) if letter else -1
    return 0 <= at < len(choices) and written(choices[at]) == written(truth), letter


def _right_float(answer: str, truth: str, precision: int) -> tuple[bool, Any]:
    """Within half a unit of the last decimal that the question asks for."""
    number = parse_number(answer)
    if number is None:
        return False, None
    distance = abs(number.value - truth_number(truth).value)
    return distance <= Decimal(5).scaleb(-precision - 1), str(number.value)


def _right_list(answer: str, truth: str) -> bool:
    """The same numbers in the same order."""
    try:
        given, gold = loads(answer), loads(truth)
    except BadJSON:
        return plain(answer) == plain(truth)
    return isinstance(given, list) and all(map(is_number, given)) and given == gold
