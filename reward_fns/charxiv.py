"""CharXiv reasoning questions: the part of the authors' rubrics that rules can decide (their judge is a model)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .normalize import fold, unwrap, visible
from .number import parse_number
from .verdict import Verdict, binary

UNVERIFIABLE = Verdict(None, 0.0, None, "unverifiable: the rubric asks for the same meaning")

_TEXT_IN_CHART, _TEXT_IN_GENERAL, _NUMBER_IN_CHART, _NUMBER_IN_GENERAL = 1, 2, 3, 4
_POWER_OF_TEN = re.compile(
    r"(?:(?P<factor>[^\^]{1,30}?)\s*(?:×|x|\*|·|\\times|\\cdot)\s*)?10\s*\^\s*\{?(?P<power>[+-]?[0-9]{1,3})\}?"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_NOTATION = str.maketrans(dict.fromkeys("$_^{}\\\"'`*", "") | dict.fromkeys("–—−‐‑", "-"))
_SEPARATOR = re.compile(r"[,;]|\band\b|&")


def verify_charxiv(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official and reward alike, by `inst_category` (src/constants.py, REASONING_GRADING_INST).

    1: the same terms, notation and order free. 2: only where the answer is one of a closed set (yes or no, or a text
    that the question offers: `info["question"]`), else unverifiable. 3, 4: numbers of exactly the same value.
    """
    category, truth = int(info["inst_category"]), str(ground_truth)
    if category not in (1, 2, 3, 4):
        raise ValueError(f"inst_category must be 1 to 4, got {category}")
    if category == _TEXT_IN_GENERAL and not _closed(truth, str(info.get("question", ""))):
        return UNVERIFIABLE
    if category in (_NUMBER_IN_CHART, _NUMBER_IN_GENERAL) and (gold := _values(truth)):
        return binary(_values(answer) == gold, answer, "not the same value")
    return binary(_terms(answer) == _terms(truth) != [""], answer, "not the same terms")


def _closed(truth: str, question: str) -> bool:
    return _form(truth) in ("yes", "no") or bool(_form(truth) and _form(truth) in _form(question))


def _values(text: str) -> list[Decimal]:
    """The numbers that the text consists of, sorted; [] if it is anything else."""
    whole = _value(text)
    found = [whole] if whole is not None else [_value(part) for part in _SEPARATOR.split(text[:200])]
    return [] if None in found else sorted(value for value in found if value is not None)


def _value(text: str) -> Decimal | None:
    text = re.sub(r"(?<=10)[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: "^" + power.group().translate(_SUPERSCRIPTS), text[:100])
    text = unwrap(fold(text)).rstrip(".")
    if power := _POWER_OF_TEN.fullmatch(text):
        factor = parse_number(power["factor"]) if power["factor"] else parse_number("1")
        return factor.value.scaleb(int(power["power"])).normalize() if factor else None
    number = parse_number(text)
    return number.value.normalize() if number else None


def _terms(text: str) -> list[str]:
    return sorted(_form(part) for part in _SEPARATOR.split(unwrap(text)))


def _form(text: str) -> str:
    """Greek letters by name, sub- and superscripts flat, no LaTeX marks, brackets round the whole, spaces or case."""
    text = visible(unicodedata.normalize("NFKC", text)).translate(_NOTATION).rstrip(".!")
    text = "".join(_greek(char) for char in text).casefold()
    text = "".join(text.split())
    return text[1:-1] if text.startswith("(") and text.find(")") == len(text) - 1 else text


def _greek(char: str) -> str:
    if not "\u0370" <= char <= "\u03ff":
        return char
    name = unicodedata.name(char, "").rpartition(" LETTER ")[2].partition(" ")[0].lower()
    return {"lamda": "lambda", "final": "sigma"}.get(name, name) or char
