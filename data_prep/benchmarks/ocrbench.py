"""OCRBench (v1): recognised text, texts in scenes and documents, key information, handwritten formulas.

A row of the hub:

    {"dataset": "IIIT5K", "question": "what is written in the image?", "question_type": "Regular Text Recognition",
     "answer": ["EXIT"], "image": <image>}

The authors' json has `dataset_name`, `type`, `image_path`, and `answers`, a text or a list. The harness's TSV has the
question type in `category`, no name of the data set, and the text of a list in `answer`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data_prep.benchmarks.columns import column, question_text, texts
from data_prep.fields import image_list, text
from data_prep.source import Hub, Options, Question, Source


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    info = {"question_type": text(column(raw, "question_type", "type", "category"))}
    if dataset := text(raw.get("dataset", raw.get("dataset_name"))):
        info["dataset"] = dataset
    yield Question(
        text=question_text(raw, "question"),
        kind="text",
        ground_truth=_answers(raw),
        info=info,
        images=image_list(column(raw, "image", "image_path")),
    )


def _answers(raw: Mapping[str, Any]) -> list[str]:
    if isinstance(answer := raw.get("answers"), str):
        # A formula of the authors' json may stand in square brackets without being a list.
        return texts([answer])
    return texts(column(raw, "answer", "answers"))


SOURCE = Source(
    name="ocrbench",
    title="reading text, ten kinds of questions (OCRBench)",
    task="ocrbench",
    splits=("test",),
    convert=convert,
    hub=(Hub(id="echo840/OCRBench"),),
    tsv=("OCRBench",),
    files=("OCRBench.json", "OCRBench/OCRBench.json"),
    identify=lambda raw: raw["index"],
    rows={"test": 1000},
)
