"""MMStar: questions that need the image, four options in the question's text.

A row of Lin-Chen/MMStar, split `val`:

    {"index": 12, "question": "What is on the left?\\nOptions: A: a cup, B: a ball, C: a tree, D: a dog",
     "image": {"bytes": …}, "answer": "B", "category": "coarse perception", "l2_category": "image scene",
     "meta_info": {"source": "drawn", "split": "val", "image_path": "images/12.jpg"}}

The harness's TSV has the options in the columns A to D and the image as base64.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from data_prep import fields
from data_prep.source import Hub, Options, Question, Source


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    text = fields.question(raw["question"])
    choices = fields.inline_options(text)
    if not choices and "A" in raw:
        choices = fields.option_columns(raw)
        text = fields.with_options(text, choices)
    # Where the text cannot be taken apart, any letter may be the gold.
    gold = fields.gold_letter(raw["answer"], choices or dict.fromkeys("ABCDEF", ""))
    second = raw["l2_category"] if "l2_category" in raw else raw["l2-category"]
    info: dict[str, Any] = {"category": fields.text(raw["category"]), "l2_category": fields.text(second)}
    if choices:
        info["choices"] = choices
    return [Question(text=text, kind="choice", ground_truth=gold, info=info, images=[raw["image"]])]


SOURCE = Source(
    name="mmstar",
    title="questions that cannot be answered without the image (MMStar)",
    splits=("val",),
    convert=convert,
    hub=(Hub(id="Lin-Chen/MMStar", config="val"),),
    task="mmstar",
    tsv=("MMStar",),
    identify=lambda raw: raw["index"],
    rows={"val": 1_500},
)
