"""The answer instructions, one per kind of answer: exactly what the verifier of that kind reads."""

from __future__ import annotations

import difflib
from collections.abc import Iterable

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
"""Of the offline set, short enough for a tiny model, whose tokenizer has a token for each."""

_RELATIVE = "coordinates from 0 to 1000 relative to the width and height of the image"
_BOX = "the bounding box as JSON, [x1, y1, x2, y2] with the top left and the bottom right corner"
_POINTS = "three points inside the object and three outside it"

KINDS: dict[str, tuple[str, str]] = {
    "choice": ("the letter of the right option", "B"),
    "word": ("one word", "blue"),
    "integer": ("the integer in digits, without a unit", "42"),
    "number": ("the number in digits, without a unit", "3.14"),
    "text": ("the text asked for, without quotation marks or other words", "Total 12.50"),
    "math": ("the final result, a number or one LaTeX formula", r"$\frac{3}{2}$"),
    "list": ("the list in square brackets", "[2, 4, 8]"),
    "yes_no": ("yes or no", "yes"),
    "open": ("the short answer, a number or a few words", "left ventricle"),
    "sentences": ("the answer in plain text", "A man repairs a bicycle in front of a shop."),
    "box": (f"{_BOX}, {_RELATIVE}", '{"boxes": [35, 227, 437, 932]}'),
    "box_pixels": (f"{_BOX}, in pixels of the image of {{width}} x {{height}}", '{"boxes": [35, 227, 137, 332]}'),
    "point": (f"one point as JSON, {_RELATIVE}", '{"point_2d": [412, 733]}'),
    "point_unit": ("one point (x, y), as decimals from 0 to 1 relative to the width and height of the image",
                   "(0.412, 0.733)"),
    "span": ("the start and the end in seconds as JSON", '{"time": [12.3, 25.7]}'),
    "frames": (f"the box of the object at every second from 1 on, up to 32, as JSON, {_RELATIVE}",
               '{"boxes": {"1": [405, 230, 654, 463], "2": [435, 223, 678, 446]}}'),
    "span_frames": (
        f"the start and end in seconds, and the box of the object at every whole second between, as JSON, {_RELATIVE}",
        '{"time": [8.1, 10.4], "boxes": {"9": [317, 422, 582, 997], "10": [332, 175, 442, 369]}}',
    ),
    "segmentation": (
        f"the box of the object, {_POINTS} as JSON, {_RELATIVE}",
        '{"boxes": [210, 180, 640, 720], "positive_points": [[300, 300], [420, 450], [550, 600]], '
        '"negative_points": [[150, 200], [700, 500], [620, 200]]}',
    ),
    "segmentation_video": (
        f"one time in seconds at which the object is well seen, its box then, {_POINTS} as JSON, {_RELATIVE}",
        '{"time": 4.5, "boxes": [210, 180, 640, 720], "positive_points": [[300, 300], [420, 450], [550, 600]], '
        '"negative_points": [[150, 200], [700, 500], [620, 200]]}',
    ),
}  # fmt: skip
"""Kind -> (what to give, an example of it) for real models."""


def _known(kind: str, kinds: Iterable[str], thinking_tag: str) -> None:
    kinds = list(kinds)
    if kind not in kinds:
        near = difflib.get_close_matches(kind, kinds, 1, 0)[0]
        raise ValueError(f"unknown kind of answer {kind!r} (nearest: {near!r}); known: {', '.join(kinds)}")
    if thinking_tag not in THINKING_TAGS:
        raise ValueError(f"unknown thinking tag {thinking_tag!r}; use one of {', '.join(THINKING_TAGS)}")


def prompt(question: str, *, kind: str, thinking_tag: str = "thinking", images: int = 1) -> str:
    """The user message of the offline set: image placeholders, the question, the short answer instruction.

    >>> prompt("What is the result?", kind="integer")
    '<image>What is the result? Think in <thinking></thinking>, then give the integer in <answer></answer>.'
    """
    _known(kind, ANSWERS, thinking_tag)
    ask = f"Think in <{thinking_tag}></{thinking_tag}>, then give {ANSWERS[kind]} in <answer></answer>."
    return f"{'<image>' * images}{question} {ask}"


def full_prompt(
    question: str, *, kind: str, thinking_tag: str = "thinking", images: int = 0, videos: int = 0,
    width: int = 0, height: int = 0,
) -> str:  # fmt: skip
    """The user message of the other data sets; marks that the question lacks for `images` and `videos` go in front.

    >>> print(full_prompt("How many are there?", kind="integer", images=1))
    <image>How many are there?
    First think inside <thinking></thinking>. Then give the final answer inside <answer></answer>, and nothing else \
there: the integer in digits, without a unit.
    Example: <answer>42</answer>
    """
    _known(kind, KINDS, thinking_tag)
    ask, example = KINDS[kind]
    front = "".join(mark * (count - question.count(mark)) for mark, count in (("<image>", images), ("<video>", videos)))
    if kind == "box_pixels":
        ask = ask.format(width=width, height=height)
    return (
        f"{front}{question}\nFirst think inside <{thinking_tag}></{thinking_tag}>. Then give the final answer inside "
        f"<answer></answer>, and nothing else there: {ask}.\nExample: <answer>{example}</answer>"
    )
