"""Multiple choice: one option letter, or the exact text of one option."""

from __future__ import annotations

import re
import string
from collections.abc import Mapping
from typing import Any

from .normalize import fold, plain, unwrap
from .verdict import Verdict, binary, wrong

_LEADING_LETTER = re.compile(r"(?P<letter>[A-Z])(?P<mark>[.):]|\s|\Z)(?P<rest>.*)", re.DOTALL)
_LONE_LETTER = re.compile(r"(?<![\w'’])[A-Zb-hj-z](?![\w'’])")
_WITH_TEXT = re.compile(r"\(?([A-Za-z])(?:[.):,]+\s*|\s+)(\S.*)", re.DOTALL)
_HEDGE = re.compile(r"\s*(?:or|and|either|maybe|perhaps|possibly)\b", re.IGNORECASE)
_NEGATION = re.compile(r"\b(?:not|no|nor|neither|never|except|isn|aren|wasn|doesn|don|cannot|wrong|incorrect)\b", re.I)


def options_of(info: Mapping[str, Any]) -> dict[str, str]:
    """The options as {letter: text} from `info["choices"]`: an object, or a list in order; {} when absent."""
    choices = info.get("choices") or info.get("options") or {}
    if isinstance(choices, Mapping):
        return {str(letter).strip().upper(): str(text) for letter, text in choices.items() if text is not None}
    found = {}
    for letter, text in zip(string.ascii_uppercase, choices, strict=False):
        found[letter] = re.sub(rf"\A\(?{letter}[.):]\s+", "", str(text))
    return found


def read_letter(answer: str, options: Mapping[str, str]) -> tuple[str | None, str]:
    """(letter, why not): the one option that the answer commits to.

    Accepted: a capital letter of the options alone, also where it is another option's text (labels in a figure); the
    exact text of one option; a letter alone in either case; a capital letter followed by `.`, `)`, `:` or white space;
    a letter in either case and its own text. Refused: a second letter, a hedge, a negation, another option's text
    behind the letter, and an `A ` that may be an article.
    """
    text = unwrap(fold(answer))
    bare = unwrap(text.rstrip(".):,;!。 "))
    if len(bare) == 1 and bare in options:
        return bare, ""
    if by_text := _by_text(answer, options) or _by_text(text, options):
        return by_text, ""
    if len(bare) == 1 and bare.isascii() and bare.isalpha():
        return bare.upper(), ""
    text = _unwrapped_head(text)
    named = _WITH_TEXT.fullmatch(text)
    if named and _by_text(named[2], {(letter := named[1].upper()): options.get(letter, "")}):
        return letter, ""
    head = _LEADING_LETTER.match(text)
    if not head:
        return None, "no option letter"
    letter, rest = head["letter"], head["rest"]
    if _by_text(rest, options):
        return None, "letter and option text disagree"
    if _HEDGE.match(rest):
        return None, "hedged"
    if letter == "A" and head["mark"].isspace() and options:
        return None, "A may be an article"
    others = {mark.upper() for mark in _LONE_LETTER.findall(rest)} - {letter}
    if others & set(options or string.ascii_uppercase):
        return None, "several letters"
    return (None, "negated") if _NEGATION.search(rest) else (letter, "")


def _by_text(given: str, options: Mapping[str, str]) -> str | None:
    """The option with this very text, else the only one after `plain`: "AA" and "Aa", "(0, 1)" and "[0, 1]" differ."""
    wanted, very = plain(given), written(given)
    alike = {
        written(text): letter for letter, text in reversed(tuple(options.items())) if wanted and plain(text) == wanted
    }
    return alike.get(very) or (next(iter(alike.values())) if len(alike) == 1 else None)


def written(text: str) -> str:
    """Folded, with single spaces: what makes two options the same."""
    return " ".join(fold(text).split())


def _unwrapped_head(text: str) -> str:
    """`(B) blue`, `**B** blue`, `**B. blue**` as `B) blue`, `B blue`, `B. blue`."""
    return re.sub(r"\A[(\[{*_`\"'$]{0,4}([A-Z])[\])}*_`\"'$]{0,4}(?=[.):\s]|\Z)", r"\1", text, count=1)


def truth_letter(ground_truth: Any, options: Mapping[str, str]) -> str:
    """The letter of a row; ValueError unless it is one, and one of its options."""
    truth = str(ground_truth).strip().upper()
    if len(truth) != 1 or (options and truth not in options):
        raise ValueError(f"ground_truth {str(ground_truth)[:80]!r} is not a letter of {''.join(options) or 'A-Z'}")
    return truth


def same_option(letter: str | None, truth: str, options: Mapping[str, str]) -> bool:
    """The same letter, or one whose option has the same text."""
    if letter is None or letter == truth:
        return letter == truth
    return letter in options and written(options[letter]) == written(options.get(truth, "")) != ""


def verify_choice(answer: str, ground_truth: Any, info: Mapping[str, Any]) -> Verdict:
    """1 if the answer commits to the right letter and to no other."""
    options = options_of(info)
    truth = truth_letter(ground_truth, options)
    letter, why = read_letter(answer, options)
    if letter is None:
        return wrong(why)
    return binary(same_option(letter, truth, options), letter, f"{letter} is not {truth}")
