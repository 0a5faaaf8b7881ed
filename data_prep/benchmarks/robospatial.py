"""RoboSpatial-Home: does it fit, where is it, and where is free space, in homes.

A row of the hub, one split per category:

    {"category": "context", "question": "There is a bowl. Pinpoint several points to its left. Your answer should …",
     "answer": "[(0.1, 0.6), (0.4, 0.6), (0.4, 0.9)]", "img": <image>, "depth_image": <image>, "mask": <image>}

The answer is yes or no for the categories compatibility and configuration, and a polygon of free space for context.
The authors' script saves the same as annotations.json with paths; the harness's TSV has a base64 `image`. Depth and
mask are not used.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from typing import Any

from data_prep.benchmarks.columns import column, question_text
from data_prep.benchmarks.refspatial import without_format
from data_prep.fields import as_list, image_list, text
from data_prep.source import Hub, Options, Question, SetAside, Source


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    category = text(raw["category"]).lower()
    if category != options.split:
        return
    question, images = question_text(raw, "question"), image_list(column(raw, "img", "image", "image_path"))
    answer = text(raw["answer"])
    if answer.lower().rstrip(".") in ("yes", "no"):
        yield Question(
            text=question,
            kind="yes_no",
            ground_truth=answer.lower().rstrip("."),
            info={"kind": "yes/no", "category": category},
            images=images,
        )
        return
    # The authors' rule reads the first point of an answer, and the reward takes one point only.
    one = re.sub(r"\bseveral points\b", "one point", without_format(question), flags=re.IGNORECASE)
    yield Question(
        text=one,
        kind="point",
        ground_truth=_polygon(answer),
        info={"kind": "point", "category": category},
        images=images,
    )


def _polygon(answer: str) -> list[list[float]]:
    if not answer:
        raise SetAside("no answer")
    try:
        corners = [[float(x), float(y)] for x, y in as_list(answer)]
    except (SetAside, TypeError, ValueError) as error:
        raise SetAside("the answer is neither yes, no nor a polygon", answer[:80]) from error
    if len(corners) < 3:
        raise SetAside("the polygon has fewer than three corners", answer[:80])
    if not all(math.isfinite(side) and 0 <= side <= 1 for corner in corners for side in corner):
        raise SetAside("the polygon leaves the image", answer[:80])
    if any(len(set(sides)) == 1 for sides in zip(*corners, strict=True)):
        raise SetAside("the polygon has no area", answer[:80])
    return corners


SOURCE = Source(
    name="robospatial",
    title="yes or no, and points in free space, in homes (RoboSpatial-Home)",
    task="robospatial",
    splits=("context", "compatibility", "configuration"),
    convert=convert,
    hub=(Hub(id="chanhee-luke/RoboSpatial-Home"),),
    tsv=("RoboSpatialHome",),
    files=("annotations.json",),
    rows={"context": 122, "compatibility": 105, "configuration": 123},
)
