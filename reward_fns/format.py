"""The format part of the reward."""

from __future__ import annotations

from .extract import CLOSE, OPEN
from .normalize import visible
from .settings import THINKING_TAGS


def format_ok(response: str, thinking_tag: str = "thinking") -> bool:
    """Whether the response is exactly one thinking block, then exactly one answer block that is not empty.

    Only white space may stand before, between and after. Any further tag, of either spelling, fails: that covers
    nested and repeated blocks, which a pattern with a dot-star lets through.
    """
    text = response.strip()
    opening, closing = f"<{thinking_tag}>", f"</{thinking_tag}>"
    if not (text.startswith(opening) and text.endswith(CLOSE)):
        return False
    others = [mark for tag in THINKING_TAGS if tag != thinking_tag for mark in (f"<{tag}>", f"</{tag}>")]
    if any(text.count(mark) != 1 for mark in (opening, closing, OPEN, CLOSE)) or any(mark in text for mark in others):
        return False
    end_of_thinking, start_of_answer = text.find(closing) + len(closing), text.find(OPEN)
    if start_of_answer < end_of_thinking or text[end_of_thinking:start_of_answer].strip():
        return False
    return bool(visible(text[start_of_answer + len(OPEN) : -len(CLOSE)]))
