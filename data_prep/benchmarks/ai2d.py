"""AI2D: science diagrams with four options; in the masked variant letters replace the labels that are asked for.

A row of lmms-lab/ai2d (masked) or lmms-lab/ai2d-no-mask, split `test`:

    {"question": "Which part drinks water?", "options": ["leaf", "root", "stem", "flower"], "answer": "1",
     "image": {"bytes": …}}

`answer` is the place of the option, from 0. The harness's TSVs (one per variant) have an index, the options in the
columns A to D, and a letter.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep import fields
from data_prep.read_text import tsv_rows
from data_prep.source import Hub, Options, Question, Source

HARNESS = {"mask": "AI2D_TEST", "no_mask": "AI2D_TEST_NO_MASK"}


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    if "options" in raw:
        choices = fields.letters(fields.as_list(raw["options"]))
        gold = fields.index_letter(raw["answer"], choices)
    else:
        choices = fields.option_columns(raw)
        gold = fields.gold_letter(raw["answer"], choices)
    text = fields.with_options(fields.question(raw["question"]), choices)
    return [Question(text=text, kind="choice", ground_truth=gold, info={"choices": choices}, images=[raw["image"]])]


def load(path: Path, options: Options) -> Iterator[Mapping[str, Any]]:
    """The harness's file of the variant: a folder may hold both."""
    yield from tsv_rows(fields.own_file(path, [f"**/{HARNESS[options.variant or 'mask']}.tsv"]))


SOURCE = Source(
    name="ai2d",
    title="science diagrams, labels masked or not (AI2D)",
    splits=("test",),
    convert=convert,
    hub=(
        Hub(id="lmms-lab/ai2d", variant="mask"),
        Hub(id="lmms-lab/ai2d-no-mask", variant="no_mask"),
        Hub(id="lmms-lab-encoder/ai2d", variant="mask"),
        Hub(id="Efficient-Large-Model/ai2d-no-mask", variant="no_mask"),
    ),
    task="ai2d",
    tsv=tuple(HARNESS.values()),
    files=tuple(f"**/{name}.tsv" for name in HARNESS.values()),
    variants=tuple(HARNESS),
    rows={"test": 3_088},
    load=load,
)
