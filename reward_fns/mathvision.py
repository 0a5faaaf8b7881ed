"""MathVision: five options or a free answer."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from .choice import read_letter, same_option
from .latex_number import latex_number
from .symbolic import equivalent
from .verdict import Verdict

_LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
_PHRASES = ("the final answer is", "the answer is", "the correct answer is", "the answer should be")
_BOXED = re.compile(r"oxed\{(.*)\}", re.DOTALL)
# In this order: later ones see what earlier ones left.
_REPLACED = (
    *((" ", ""), ("\\,", ""), ("∞", "\\infty"), ("+\\infty", "\\infty"), ("\\\\", "\\"), ("\n", "")),
    *(("\\text", ""), ("\\mbox", ""), ("bmatrix", "pmatrix"), ("\\left", ""), ("\\right", ""), ("^{\\circ}", "")),
    *(("^\\circ", ""), ("{m}^3", ""), ("m^3", ""), ("{units}", ""), ("units", ""), ("{km}", ""), ("km", "")),
)
_WRAPPED_BOX = re.compile(r"\A\s*\\?boxed\{(.*)\}\s*\Z", re.DOTALL)


def verify_mathvision(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """Official: the authors' clean-up and comparison with the letter or its option's value. Reward: see below.

    With options: the letter, the option's exact text, or its value. Without: `symbolic.equivalent` on a gold that is
    freed of the data's wrapping (\\boxed, dollar signs, form feeds for \\f).
    """
    options = [str(option) for option in info.get("choices") or info.get("options") or []]
    truth = str(ground_truth).strip(" ")
    value = options[_LETTERS.index(truth)] if options and truth in _LETTERS[: len(options)] else ""
    cleaned = clean_response(answer)
    official = is_equal(str(ground_truth), cleaned) or is_equal(value, cleaned)
    right, why = _reward(answer, truth, value, options, info)
    return Verdict(float(official), float(right), cleaned[:200], "" if right else why)


def _reward(answer: str, truth: str, value: str, options: list[str], info: Mapping[str, Any]) -> tuple[bool, str]:
    if not options:
        return equivalent(answer, clean_gold(truth), info)
    if not value:
        raise ValueError(f"ground_truth {truth[:80]!r} is not a letter of the {len(options)} options")
    lettered = dict(zip(_LETTERS, options, strict=False))
    letter, why = read_letter(answer, lettered)
    if letter is not None or value == truth:
        return same_option(letter, truth, lettered), why or f"{letter} is not {truth}"
    return equivalent(answer, clean_gold(value), info)


def clean_gold(truth: str) -> str:
    """The gold as one formula: a form feed was a \\f, some golds sit in a \\boxed{} or between dollar signs."""
    truth = truth.replace("\f", "\\f").strip()
    boxed = _WRAPPED_BOX.match(truth.strip("$"))
    return boxed[1].strip() if boxed else truth.replace("{degrees}", "^{\\circ}")


def clean_response(response: str) -> str:
    """evaluation/evaluate.py: the text that is compared, in lower case without spaces."""
    text = response.strip()
    for letter in "ABCDE":
        if text.endswith((f" {letter}.", f" ({letter}).")) or text.startswith(
            (f"{letter}\n", f"({letter})\n", f"({letter}) {letter}\n")
        ):
            text = letter
    tail = text.rpartition("is ")[2].rstrip(".")
    text = tail if _is_float(tail) else text
    if "oxed{" not in text:
        text = _after_phrases(text)
    elif text.count("oxed{") > 1:
        text = "\\boxed{" + text.rpartition("oxed{")[2]
    text = _math_form(text)
    for letter in "abcde":
        text = text.replace(f"({letter})", letter)
    for letter in "abcde":
        text = text.replace(f"{{{letter}}}", letter)
    return text.rstrip(".").lstrip(":").strip()


def _after_phrases(text: str) -> str:
    for phrase in _PHRASES:
        for form in (phrase, phrase.replace("the", "The")):
            found = form in text
            text = text.rpartition(form)[2].strip()
            if found:
                text = text.split("\n")[0].split(". ")[0]
    return text


def _math_form(text: str) -> str:
    """evaluation/utils.py, find_math_answer: inside of the box, behind the last = or \\approx, units off."""
    text = text.lower().replace("{}", "")
    boxed = _BOXED.findall(text)
    text = boxed[-1] if boxed else text
    closing, opening = text.find("}"), text.find("{")
    if closing >= 0 and (opening < 0 or closing < opening):
        text = text[:closing]
    text = text.rpartition("=")[2].rpartition("\\approx")[2]
    for old, new in _REPLACED:
        text = text.replace(old, new)
    return _strip_string(text)


def _strip_string(text: str) -> str:
    text = text.replace("\n", "").replace("\\!", "").replace("\\\\", "\\")
    text = text.replace("tfrac", "frac").replace("dfrac", "frac").replace("\\left", "").replace("\\right", "")
    text = text.replace("^{\\circ}", "").replace("^\\circ", "").replace("\\$", "").replace("$", "")
    text = text.split("\\text{ ")[0].replace("\\%", "")
    text = text.replace(" .", " 0.").replace("{.", "{0.")
    if not text:
        return text
    text = "0" + text if text[0] == "." else text
    text = text.split("=")[-1] if text.count("=") == 1 else text
    text = text.split("\\approx")[-1] if text.count("\\approx") == 1 else text
    text = _brace_roots(text).replace(" ", "")
    if "sqrt" in text:
        text = _brace_fractions(text)
    if text == "0.5":
        return "\\frac{1}{2}"
    fraction = re.fullmatch(r"(-?(?:0|[1-9][0-9]*))/(-?(?:0|[1-9][0-9]*))", text)
    return f"\\frac{{{fraction[1]}}}{{{fraction[2]}}}" if fraction and "-0" not in fraction.groups() else text


def _brace_roots(text: str) -> str:
    r"""`\sqrt2` as `\sqrt{2}`; `\sqrt[3]{8}` becomes `\sqrt{[}3]{8}`, which nothing parses, as in the source."""
    return re.sub(r"\\sqrt([^{\\]|\\(?!sqrt))", r"\\sqrt{\1}", text)


def _brace_fractions(text: str) -> str:
    r"""`\frac12` as `\frac{1}{2}`; the source does so only where there is a root."""
    head, *parts = text.split("\\frac")
    for part in parts:
        if part.startswith("{"):
            head += "\\frac" + part
        elif len(part) < 2:
            return text
        elif part[1] == "{":
            head += f"\\frac{{{part[0]}}}{part[1:]}"
        else:
            head += f"\\frac{{{part[0]}}}{{{part[1]}}}{part[2:]}"
    return head


def is_equal(left: str, right: str) -> bool:
    """evaluation/utils.py: equal texts, or tuples of numbers or numbers that are equal to 2 decimals."""
    left, right = left.lower(), right.lower()
    if not left.replace(" ", "") or not right.replace(" ", ""):
        return False
    if left.strip() == right.strip():
        return True
    left, right = _rounded_tuple(left), _rounded_tuple(right)
    if left == right:
        return True
    first, second = latex_number(left, leading=True), latex_number(right, leading=True)
    return first is not None and second is not None and round(first, 2) == round(second, 2)


def _rounded_tuple(text: str) -> str:
    elements = text[1:-1].split(",")
    if len(elements) < 2 or (text[0], text[-1]) not in (("(", ")"), ("[", "]")):
        return text
    rounded = []
    for element in elements:
        if "infty" in element or element in ("a", "-a"):
            rounded.append(element)
        elif (number := latex_number(element, leading=True)) is not None:
            rounded.append(str(round(number, 2)))
        else:
            return text
    return f"{text[0]}{','.join(rounded)}{text[-1]}"


def _is_float(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
