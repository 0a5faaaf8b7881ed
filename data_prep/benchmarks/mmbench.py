"""MMBench (English): questions with two to four options, asked again with the options rolled.

A row of lmms-lab/MMBench, configuration `en` (the harness's TSV has the same columns, the image as base64):

    {"index": 1000007, "question": "Which one can fly?", "hint": "Look at the legs.", "answer": "B", "A": "dog",
     "B": "duck", "C": None, "D": None, "category": "attribute_recognition", "image": {"bytes": …}, "source": "drawn",
     "L2-category": "finegrained_perception", "comment": None, "split": "dev"}

Roll k of question 7 has index 7 + k * 1,000,000; a question counts as right if all its rolls are. The index is a text
in one revision. The test split has no answers.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from data_prep import fields
from data_prep.source import Hub, Options, Question, SetAside, Source

ROLL = 1_000_000


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    if fields.other_split(raw, options):
        return []
    choices = fields.option_columns(raw)
    index = fields.whole(raw["index"])
    if not isinstance(index, int):
        raise SetAside("the index is not a number", str(index))
    info = {"choices": choices, "group": str(index % ROLL)}
    hint = fields.text(raw.get("hint"))
    question = fields.question(raw["question"])
    text = f"{hint}\n{question}" if hint.lower() not in ("", "nan") else question
    gold = fields.gold_letter(raw["answer"], choices)
    return [
        Question(
            text=fields.with_options(text, choices), kind="choice", ground_truth=gold, info=info, images=[raw["image"]]
        )
    ]


SOURCE = Source(
    name="mmbench",
    title="perception and reasoning with rolled options (MMBench, English)",
    splits=("dev", "test"),
    convert=convert,
    hub=(
        Hub(id="lmms-lab/MMBench", config="en"),
        Hub(id="lmms-lab-encoder/MMBench", config="en"),
        Hub(id="lmms-lab/MMBench_EN"),
    ),
    task="mmbench",
    tsv=("MMBench_DEV_EN", "MMBench_DEV_EN_V11"),
    identify=lambda raw: raw["index"],
    rows={"dev": 4_329, "test": 6_666},
)
