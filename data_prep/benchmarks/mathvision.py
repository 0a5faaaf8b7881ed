r"""MathVision: competition mathematics with figures, five options or a free answer.

A row of MathLLMs/MathVision (the authors' test.jsonl: the same without `decoded_image`):

    {"id": "7", "question": "How many squares are there?\n<image1>", "options": [], "answer": "6", "solution": None,
     "level": 2, "subject": "counting", "image": "images/7.jpg", "decoded_image": {"bytes": …}}

With options, `answer` is a letter; where the options are in the figure, they are the bare letters. Free answers are
numbers, some in `$…$` or `\boxed{}`, one with a form feed for `\f`. The harness's TSV has `choices`, the text of a
list, `category` for the subject, and the image as base64.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep import fields
from data_prep.read_text import jsonl_rows, tsv_rows
from data_prep.source import Hub, Options, Question, SetAside, Source
from reward_fns.mathvision import clean_gold

HARNESS = {"test": "MathVision", "testmini": "MathVision_MINI"}
FILES = ("data/{split}.jsonl", "{split}.jsonl")


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    answer = fields.text(raw["answer"])
    if not answer:
        raise SetAside("no answer")
    listed = [fields.text(each) for each in fields.as_list(raw["options"] if "options" in raw else raw["choices"])]
    info: dict[str, Any] = {"choices": listed}
    info["subject"] = fields.text(raw["subject"] if "subject" in raw else raw["category"])
    if not fields.missing(raw.get("level")):
        info["level"] = fields.whole(raw["level"])
    text = fields.drop_image_tags(fields.question(raw["question"]))
    gold, judged = answer, True
    if listed:
        lettered = fields.letters(listed)
        gold = fields.gold_letter(answer, lettered)
        if any(letter != option for letter, option in lettered.items()):
            text = fields.with_options(text, lettered)
    else:
        gold = _mended(answer)
        # A letter without options: they were lost, and the letter means nothing.
        judged = not re.fullmatch("[A-E]", gold) and fields.gold_scores("mathvision", gold, gold, info)
    return [
        Question(
            text=text,
            kind="choice" if listed else "math",
            ground_truth=gold,
            info=info,
            images=[raw["image"] if fields.missing(raw.get("decoded_image")) else raw["decoded_image"]],
            unverifiable=not judged,
            repaired="" if gold == answer else "gold: wrapping or broken command",
        )
    ]


def _mended(answer: str) -> str:
    r"""`\f` for a form feed; without \boxed{}, the dollar signs round the whole, and `{degrees}` behind a number."""
    gold = clean_gold(re.sub(r"(?<=\d)\s*\{degrees\}\Z", "", answer))
    whole = gold.startswith("$") and gold.endswith("$") and gold.count("$") == 2
    return gold[1:-1].strip() if whole else gold


def load(path: Path, options: Options) -> Iterator[Mapping[str, Any]]:
    """The authors' file of the split, else the harness's: a folder may hold those of both splits."""
    own = [pattern.format(split=options.split) for pattern in FILES]
    file = fields.own_file(path, [*own, f"**/{HARNESS[options.split]}.tsv"])
    yield from (jsonl_rows if file.suffix == ".jsonl" else tsv_rows)(file)


SOURCE = Source(
    name="mathvision",
    title="competition mathematics with figures (MathVision, MATH-V)",
    splits=tuple(HARNESS),
    convert=convert,
    hub=(Hub(id="MathLLMs/MathVision"), Hub(id="mathvision/mathvision")),
    task="mathvision",
    tsv=tuple(HARNESS.values()),
    files=(*FILES, *(f"**/{name}.tsv" for name in HARNESS.values())),
    identify=lambda raw: raw["id"] if "id" in raw else raw["index"],
    rows={"test": 3_040, "testmini": 304},
    load=load,
)
