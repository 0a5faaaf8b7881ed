"""The answer instructions, one per kind of answer: exactly what the verifier of that kind reads."""

from __future__ import annotations

import difflib

THINKING_TAGS = ("thinking", "think")

ANSWERS = {
    "choice": "the letter",
    "word": "one word",
    "integer": "the integer",
    "number": "the number",
    "text": "the text",
    "box": '{"boxes": [x1, y1, x2, y2]} (0 to 1000)',
    "point": '{"point_2d": [x, y]} (0 to 1000)',
}


def prompt(question: str, *, kind: str, thinking_tag: str = "thinking", images: int = 1) -> str:
    """The user message: image placeholders, the question, the answer instruction.

    >>> prompt("What is the result?", kind="integer")
    '<image>What is the result? Think in <thinking></thinking>, then give the integer in <answer></answer>.'
    """
    if kind not in ANSWERS:
        near = difflib.get_close_matches(kind, ANSWERS, 1, 0)[0]
        raise ValueError(f"unknown kind of answer {kind!r} (nearest: {near!r}); known: {', '.join(ANSWERS)}")
    if thinking_tag not in THINKING_TAGS:
        raise ValueError(f"unknown thinking tag {thinking_tag!r}; use one of {', '.join(THINKING_TAGS)}")
    ask = f"Think in <{thinking_tag}></{thinking_tag}>, then give {ANSWERS[kind]} in <answer></answer>."
    return f"{'<image>' * images}{question} {ask}"
