"""JSON from a model: bounded in size, nesting and digits, and without what the JSON standard forbids or leaves open."""

from __future__ import annotations

import json
import math
import re
from typing import Any, NoReturn

MAX_CHARS = 100_000
MAX_DEPTH = 8
MAX_DIGITS = 18

# The string alternative also matches an unterminated string, so that a scan never restarts inside one.
_BRACKETS_OUTSIDE_STRINGS = re.compile(r'"(?:[^"\\]|\\.)*+(?:"|\\?\Z)|[\[{]|[\]}]', re.DOTALL)


class BadJSON(ValueError):
    """The text is not JSON that we accept; the message says why."""


def loads(text: str) -> Any:
    """Parse `text`, one surrounding code fence stripped.

    Raises BadJSON for: more than 100,000 characters, nesting over 8, NaN or Infinity (also as 1e999), integers of more
    than 18 digits, duplicate keys, anything that is not JSON.
    """
    if len(text) > MAX_CHARS:
        raise BadJSON(f"over {MAX_CHARS} characters")
    text = strip_fence(text)
    if nested_over(text, MAX_DEPTH):
        raise BadJSON(f"nested over {MAX_DEPTH} levels")
    try:
        return _DECODER.decode(text)
    except BadJSON:
        raise
    except ValueError as error:
        raise BadJSON(f"not JSON: {error}") from None


def strip_fence(text: str) -> str:
    """Without one surrounding ``` or ```json fence."""
    text = text.strip()
    if not (text.startswith("```") and text.endswith("```") and len(text) > 6):
        return text
    inside = text[3:-3]
    return inside[4:].strip() if inside[:4].lower() == "json" else inside.strip()


def nested_over(text: str, limit: int) -> bool:
    """Whether brackets nest deeper than `limit`; cheap for texts that have no more brackets than that."""
    if text.count("[") + text.count("{") <= limit:
        return False
    depth = 0
    for match in _BRACKETS_OUTSIDE_STRINGS.finditer(text):
        mark = match.group()
        depth += (mark in "[{") - (mark in "]}")
        if depth > limit:
            return True
    return False


def is_number(value: object) -> bool:
    """A JSON number: bool is an int to Python, not here."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _integer(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise BadJSON(f"integer of over {MAX_DIGITS} digits")
    return int(digits)


def _float(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise BadJSON("number out of range")
    return value


def _constant(name: str) -> NoReturn:
    raise BadJSON(f"{name} is not a number")


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise BadJSON("duplicate keys")
    return found


_DECODER = json.JSONDecoder(
    object_pairs_hook=_unique, parse_int=_integer, parse_float=_float, parse_constant=_constant, strict=False
)
