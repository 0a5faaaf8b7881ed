"""Pulls the answer out of a response. Linear in its length: plain searches, no backtracking."""

from __future__ import annotations

import re
from dataclasses import dataclass

from .settings import THINKING_TAGS

OPEN, CLOSE = "<answer>", "</answer>"
_ANSWER_TAG = re.compile(r"</?answer>")


@dataclass(frozen=True, slots=True)
class Extraction:
    """The two texts that can be judged."""

    answer: str | None
    """Inside of the last well-formed, non-nested answer block outside the thinking part, stripped; None if there is
    none or it is empty. The only text that can earn a reward."""
    tail: str
    """Everything after the last closing thinking tag, stripped: what the official figure judges without an answer."""


def extract(response: str) -> Extraction:
    """The answer is the last well-formed non-nested `<answer>…</answer>` after the last closing thinking tag.

    Text after a thinking tag that is opened there and never closed is still thinking, so answers in it do not count.
    Both spellings of the thinking tag are honoured, whichever is configured: a model that slips must not gain by it.
    """
    tail = response[max(_end_of_last(response, f"</{tag}>") for tag in THINKING_TAGS) :]
    reopened = [at for tag in THINKING_TAGS if (at := tail.find(f"<{tag}>")) >= 0]
    answer = _last_block(tail[: min(reopened)] if reopened else tail)
    return Extraction(answer.strip() or None if answer is not None else None, tail.strip())


def _end_of_last(text: str, tag: str) -> int:
    at = text.rfind(tag)
    return at + len(tag) if at >= 0 else 0


def _last_block(text: str) -> str | None:
    """Inside of the last outermost block that holds no other opening tag."""
    found, depth, start, nested = None, 0, 0, False
    for tag in _ANSWER_TAG.finditer(text):
        if tag.group() == OPEN:
            depth, nested, start = depth + 1, depth > 0, tag.end()
        elif depth:
            depth -= 1
            if depth == 0 and not nested:
                found = text[start : tag.start()]
    return found
