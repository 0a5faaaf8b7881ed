"""MathVerse: the part that rules can decide (the authors extract and judge with a model)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .choice import options_of, read_letter, same_option
from .symbolic import equivalent, is_formula
from .verdict import Verdict, binary

UNVERIFIABLE = Verdict(None, 0.0, None, "unverifiable: the gold is neither a letter, a formula nor a word")

_LETTER = re.compile(r"\(?([A-Z])[).]?")
# 掳 is how a degree sign looks after a wrong decoding in the data.
_DEGREE = str.maketrans({"掳": "°", "\u00a0": " "})


def verify_mathverse(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official and reward alike: the letter of a choice, else `symbolic.equivalent` (values, units, degrees, words).

    Golds that are sentences, several letters or several formulas are unverifiable for every answer.
    """
    truth = clean(str(ground_truth))
    if str(info.get("question_type", "")).startswith("multi") and (match := _LETTER.fullmatch(truth)):
        options = options_of(info)
        letter, why = read_letter(answer, options)
        return binary(same_option(letter, match[1], options), letter, why or f"{letter} is not {match[1]}")
    if not is_formula(truth):
        return UNVERIFIABLE
    right, why = equivalent(clean(answer), truth, info)
    return binary(right, answer, why)


def clean(text: str) -> str:
    """Degree signs restored; a text with dollar signs inside as one formula ("56.55 units $^{3}$")."""
    text = text.translate(_DEGREE).strip().rstrip(".")
    return text if text.startswith("$") or text.count("$") != 2 else text.replace("$", "")
