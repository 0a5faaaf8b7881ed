"""MMMU: multiple choice, and open questions with short answers."""

from __future__ import annotations

import ast
import re
from collections.abc import Mapping
from typing import Any

from .choice_rules import mmmu_letter, verify_with
from .normalize import plain
from .number import parse_number
from .text import references
from .verdict import Verdict

_verify_choice = verify_with(mmmu_letter)

_KEYS = ("could be ", "so ", "is ", "thus ", "therefore ", "final ", "answer ", "result ")
_TRIVIAL = frozenset(":,.!?;'")
# The look-behinds keep the scan linear; no match can start inside a run of digits.
_NUMBERS = (
    re.compile(r"-?\b\d{1,3}(?:,\d{3})+\b"),
    re.compile(r"-?(?<!\d)\d++(?:\.\d++)?+[eE][+-]?\d+"),
    re.compile(r"-?(?:(?<!\d)\d+\.\d+|\.\d+|(?<!\d)\d+\b)(?![eE][+-]?\d)(?![,\d])"),
)


def verify_mmmu(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """A row with `question_type: open` as an open question, any other as multiple choice."""
    if str(info.get("question_type", "")).strip().lower() in ("open", "short-answer"):
        return verify_open(answer, accepted(ground_truth))
    return _verify_choice(answer, ground_truth, info)


def accepted(ground_truth: Any) -> list[str]:
    """The accepted texts; the data set itself writes several as a Python list in a text."""
    if isinstance(ground_truth, str) and re.fullmatch(r"\s*\['.*\]\s*", ground_truth, re.DOTALL):
        try:
            return references(ast.literal_eval(ground_truth))
        except (ValueError, SyntaxError):
            pass
    return references(ground_truth)


def verify_open(answer: str, accepted: list[str]) -> Verdict:
    """Official: MMMU's containment rule. Reward: equal texts or numbers, decimals within 1 %; no containment."""
    right = any(_same(answer, reference) for reference in accepted)
    return Verdict(
        float(open_official(answer, accepted)), float(right), answer, "" if right else "not an expected answer"
    )


def _same(answer: str, reference: str) -> bool:
    given, gold = parse_number(answer), parse_number(reference)
    if given is None or gold is None:
        return bool(plain(answer)) and plain(answer) == plain(reference)
    # Two decimals would make 0.004 equal 0.001; 1 % would make 99 equal 100.
    error, whole = abs(given.value - gold.value), gold.value == gold.value.to_integral_value()
    return error == 0 or (not whole and error <= abs(gold.value) / 100)


def open_official(answer: str, accepted: list[str]) -> bool:
    """mmmu/utils/eval_utils.py, parse_open_response and eval_open.

    Candidates: the texts behind the last key word of every line (the whole text if there is none) and every number in
    them, numbers rounded to 2 decimals. Right if a text candidate contains an accepted text, or a number equals one;
    so "not hepatitis" and "1 2 3 … 10" can be right. A text of one character needs a space on one side.
    """
    golds = [form for reference in accepted for form in _normalised(reference)]
    texts = [gold for gold in golds if isinstance(gold, str)]
    numbers = {gold for gold in golds if isinstance(gold, float)}
    for candidate in _candidates(answer):
        for form in _normalised(candidate):
            if isinstance(form, float):
                if form in numbers:
                    return True
            elif any(text in form for text in texts):
                return True
    return False


def _candidates(answer: str) -> list[str]:
    answer = answer.strip().strip(".").lower()
    # The source also splits before capitals, after it has lowered the text: that never happens.
    lines, found = answer.split("\n"), []
    for at, line in enumerate(lines):
        keys = (*_KEYS, "=") if at == len(lines) - 1 else _KEYS
        shortest = ""
        for key in keys:
            if key in line:
                tail = line.rpartition(key)[2].strip()
                if not shortest or len(tail) < len(shortest):
                    shortest = tail
        if shortest and shortest not in _TRIVIAL:
            found.append(shortest)
    found = found or [answer]
    return found + [number for text in found for pattern in _NUMBERS for number in pattern.findall(text)]


def _normalised(text: str) -> list[str] | list[float]:
    text = text.strip()
    try:
        return [round(float(text.replace(",", "")), 2)]
    except ValueError:
        text = text.lower()
        return [f" {text}", f"{text} "] if len(text) == 1 else [text]
