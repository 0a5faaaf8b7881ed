"""Fields of raw rows as they come: lists in texts, options in columns or in the question, letters, ids, images."""

from __future__ import annotations

import ast
import json
import math
import re
import string
import warnings
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from data_prep.source import Options, SetAside

MAX_LIST_CHARS = 100_000
MAX_NESTING = 8

_LETTER = re.compile(r"[\s(\[]*([A-Za-z])[\s.):\]]*")
IMAGE_TAG = re.compile(r"<\s*image\s*_?\s*([0-9]{1,2})\s*>", re.IGNORECASE)
"""`<image 1>` or `<image1>`, its number in group 1."""


def missing(value: Any) -> bool:
    """None, NaN (how pandas reads an empty cell) or blank."""
    return (
        value is None
        or (isinstance(value, float) and math.isnan(value))
        or (isinstance(value, str) and not value.strip())
    )


def text(value: Any) -> str:
    """The value as text, stripped of white space (a form feed, which may be half of a `\\f`, stays); "" if missing."""
    return "" if missing(value) else str(value).strip(" \t\r\n\u00a0")


def question(value: Any) -> str:
    """The text of a question; SetAside for an empty one."""
    if not text(value):
        raise SetAside("no question")
    return text(value)


def whole(value: Any) -> Any:
    """A number-like id or index, as `7`, `"7"` or `7.0`, as an int; anything else as it is."""
    if isinstance(value, str) and (match := re.fullmatch(r"\s*(-?[0-9]{1,18})(?:\.0*)?\s*", value)):
        return int(match[1])
    return int(value) if isinstance(value, float) and value.is_integer() else value


def as_list(value: Any) -> list[Any]:
    """A list, tuple or array, or the text of one (Python or JSON); any other text or number is a list of itself.

    Nothing for a missing value. SetAside for a text in square brackets that is no list.
    """
    if hasattr(value, "tolist"):
        value = value.tolist()
    if isinstance(value, list | tuple):
        return list(value)
    if missing(value):
        return []
    if not isinstance(value, str):
        return [value]
    stripped = value.strip()
    if not (stripped.startswith("[") and stripped.endswith("]")):
        return [value]
    found = _literal(stripped)
    if not isinstance(found, list):
        raise SetAside("a text in square brackets is not a list")
    return found


def _literal(stripped: str) -> Any:
    if len(stripped) > MAX_LIST_CHARS or _nesting(stripped) > MAX_NESTING:
        return None
    readers: tuple[Callable[[str], Any], ...] = (ast.literal_eval, json.loads)
    for read in readers:
        try:
            with warnings.catch_warnings():
                # "\s" in a text is an unknown escape to Python, and stays as it is.
                warnings.simplefilter("ignore")
                return read(stripped)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            continue
    return None


def _nesting(stripped: str) -> int:
    depth = deepest = 0
    for mark in re.findall(r"[\[\](){}]", stripped):
        depth += 1 if mark in "[({" else -1
        deepest = max(deepest, depth)
    return deepest


def letters(options: Iterable[Any]) -> dict[str, str]:
    """{letter: text} of two or more options in order; a text that brings its letter along (`A. cat`) loses it."""
    texts = [text(option) for option in options]
    if not 2 <= len(texts) <= len(string.ascii_uppercase):
        raise SetAside("fewer than two options" if len(texts) < 2 else "more than 26 options")
    pairs = list(zip(string.ascii_uppercase, texts, strict=False))
    marked = [re.match(rf"\(?{letter}[.):]\s+(?=\S)", each) for letter, each in pairs]
    if all(marked):
        texts = [each[match.end() :] for each, match in zip(texts, marked, strict=True) if match]
    return dict(zip(string.ascii_uppercase, texts, strict=False))


def option_columns(raw: Mapping[str, Any]) -> dict[str, str]:
    """{letter: text} of the columns A, B, … that are not empty. KeyError without A and B."""
    names = [letter for letter in string.ascii_uppercase if letter in raw or letter in "AB"]
    found = {letter: text(raw[letter]) for letter in names if text(raw[letter]).lower() != "nan"}
    found = {letter: each for letter, each in found.items() if each}
    if len(found) < 2:
        raise SetAside("fewer than two options")
    return found


def with_options(asked: str, options: Mapping[str, str]) -> str:
    """The question with a line `A. text` per option."""
    return "\n".join([asked.rstrip(), *(f"{letter}. {each}" for letter, each in options.items())])


def gold_letter(value: Any, options: Mapping[str, str]) -> str:
    """The letter in `b`, `B.`, `(B)`; SetAside without an answer or for anything but one of the options."""
    if not text(value):
        raise SetAside("no answer")
    match = _LETTER.fullmatch(text(value))
    if not match or match[1].upper() not in options:
        raise SetAside("the answer is not a letter of the options")
    return match[1].upper()


def index_letter(value: Any, options: Mapping[str, str]) -> str:
    """The letter of a 0-based index (`2` or `"2"`); SetAside as `gold_letter`."""
    if missing(value):
        raise SetAside("no answer")
    place = whole(value)
    if not isinstance(place, int) or isinstance(place, bool) or not 0 <= place < len(options):
        raise SetAside("the answer is not the number of an option")
    return list(options)[place]


def image_tags(value: str) -> list[int]:
    """The numbers of the tags `<image 1>`, `<image1>`, in order, as often as they stand there."""
    return [int(number) for number in IMAGE_TAG.findall(value)]


def drop_image_tags(value: str) -> str:
    """Without numbered tags: the image goes in front."""
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"[ \t]*\n?" + IMAGE_TAG.pattern, "", value, flags=re.IGNORECASE)).strip()


def after_hint(asked: str) -> str:
    """The question behind a line of instructions, as in `Hint: Please answer …` and `Question: …` below it."""
    return re.sub(r"\A\s*(?:hint:|please|according)[^\n]*\n\s*question:\s*", "", asked, flags=re.IGNORECASE)


def inline_options(asked: str) -> dict[str, str]:
    """{letter: text} of options that stand behind `Options:` or `Choices:`, one a line or between commas.

    {} where that cannot be read for certain.
    """
    blocks = re.split(r"(?:options|choices)\s*:", asked, flags=re.IGNORECASE)
    found: dict[str, str] = {}
    starts: list[tuple[str, int, int]] = []
    at = 0
    for letter in string.ascii_uppercase if len(blocks) > 1 else "":
        mark = re.compile(rf"(?:\A|\n|[,;.])\s*\(?{letter}\s*[:.)：]\s*").search(blocks[-1], at)
        if not mark or (not starts and mark.start()):
            break
        starts.append((letter, mark.start(), mark.end()))
        at = mark.end()
    ends = [start for _, start, _ in starts[1:]] + [len(blocks[-1])]
    for (letter, _, start), end in zip(starts, ends, strict=False):
        found[letter] = blocks[-1][start:end].strip(" \t\r\n,;")
    return found if len(found) > 1 and all(found.values()) else {}


def image_list(value: Any) -> list[Any]:
    """The images of a cell: one, a list, or the text of a list of base64 texts (too long for a Python parser)."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        return re.findall(r"""['"]([^'"]+)['"]""", value)
    return list(value) if isinstance(value, list | tuple) else [] if missing(value) else [value]


def own_file(path: Path, patterns: Iterable[str]) -> Path:
    """The first file in a folder that fits a pattern; a file is taken as it is. ValueError if there is none."""
    patterns = list(patterns)
    found = [path] if path.is_file() else [file for pattern in patterns for file in sorted(path.glob(pattern))]
    if not found:
        raise ValueError(f"--input {path} holds no {' or '.join(patterns)}; name a file to take it as it is")
    return found[0]


def other_split(raw: Mapping[str, Any], options: Options) -> bool:
    """Whether a `split` column says that the row is not of the wanted split (harness files hold several)."""
    names = {"val": "validation"}
    said = text(raw.get("split")).lower()
    return bool(said) and names.get(said, said) != names.get(options.split, options.split)


def gold_scores(task: str, answer: str, truth: Any, info: Mapping[str, Any]) -> bool:
    """Whether the gold answer is right by the verifier's two figures; if not, the rules cannot judge the row."""
    from reward_fns.registry import verify

    verdict = verify(task, answer, truth, info)
    return verdict.official == 1 and verdict.reward == 1
