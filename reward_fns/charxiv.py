"""CharXiv reasoning questions: the part of the authors' rubrics that rules can decide (their judge is a model)."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from .normalize import fold, unwrap
from .notation import to_latex
from .number import parse_number
from .verdict import Verdict, binary

UNVERIFIABLE = Verdict(None, 0.0, None, "unverifiable: the rubric asks for the same meaning")

_TEXT_IN_CHART, _TEXT_IN_GENERAL, _NUMBER_IN_CHART, _NUMBER_IN_GENERAL = 1, 2, 3, 4
_POWER_OF_TEN = re.compile(
    r"(?:(?P<factor>[^\^]{1,30}?)\s*(?:×|x|\*|·|\\times|\\cdot)\s*)?10\s*\^\s*\{?(?P<power>[+-]?[0-9]{1,3})\}?"
)
_SUPERSCRIPTS = str.maketrans("⁰¹²³⁴⁵⁶⁷⁸⁹⁻⁺", "0123456789-+")
_FONT = re.compile(r"\\(?:math(?:bf|cal|rm|it|bb|sf)|text(?:bf|it|rm)?|boldsymbol|left|right)(?![A-Za-z])")
_VARIANT = re.compile(r"\\(?:var(epsilon|theta|kappa|rho|sigma|phi|pi)|(le|ge|ne)q)(?![A-Za-z])")
_POWER = re.compile(r"(?<=[0-9])\s*\^\s*\{?\s*(?=[-+0-9])")
_PRIMES = str.maketrans("\u2032\u2019", "''")
_NOTATION = str.maketrans(dict.fromkeys("$_^{}\\`", "") | dict.fromkeys("–—−‐‑", "-"))
_SEPARATOR = re.compile(r"[,;]\s*(?:and\b|&)?|\band\b|&")
_MAX_LIST, _MAX_NUMBER = 200, 100


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
    words = _words(truth)
    offered = re.search(rf"(?<!\w){re.escape(words)}(?!\w)", _words(question))
    return words in ("yes", "no") or bool(words and offered)


def _values(text: str) -> list[Decimal]:
    """The numbers that the text consists of, sorted; [] if it is anything else, or long."""
    if len(text) > _MAX_LIST:
        return []
    whole = _value(text)
    found = [whole] if whole is not None else [_value(part) for part in _SEPARATOR.split(text)]
    return [] if None in found else sorted(value for value in found if value is not None)


def _value(text: str) -> Decimal | None:
    if len(text) > _MAX_NUMBER:
        return None
    text = re.sub(r"(?<=10)[⁻⁺]?[⁰¹²³⁴⁵⁶⁷⁸⁹]+", lambda power: "^" + power.group().translate(_SUPERSCRIPTS), text)
    text = unwrap(fold(text)).rstrip(".")
    if power := _POWER_OF_TEN.fullmatch(text):
        factor = parse_number(power["factor"]) if power["factor"] else parse_number("1")
        return factor.value.scaleb(int(power["power"])).normalize() if factor else None
    number = parse_number(text)
    return number.value.normalize() if number else None


def _terms(text: str) -> list[str]:
    return sorted(_form(part) for part in _SEPARATOR.split(unwrap(text)))


def _form(text: str) -> str:
    return "".join(_words(text).split())


def _words(text: str) -> str:
    """Greek letters by name; no fonts, LaTeX marks, case, outer quotes or brackets; sub- and superscripts flat.

    10^2 stays apart from 102, and a star or a prime from none.
    """
    text = unwrap(to_latex(text)).replace("\u2217", "*").translate(_PRIMES)
    text = _VARIANT.sub(r"\\\1\2", _FONT.sub("", text)).replace(r"\ast", "*").replace(r"\prime", "'")
    text = unicodedata.normalize("NFKC", _POWER.sub("\u2191", text)).translate(_NOTATION).rstrip(".!")
    return " ".join("".join(_greek(char) for char in text).casefold().split())


def _greek(char: str) -> str:
    if not "\u0370" <= char <= "\u03ff":
        return char
    name = unicodedata.name(char, "").rpartition(" LETTER ")[2].partition(" ")[0].lower()
    return {"lamda": "lambda", "final": "sigma"}.get(name, name) or char
