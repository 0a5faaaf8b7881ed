"""DocVQA: questions about scanned documents.

A row of the hub (config DocVQA):

    {"questionId": "7001", "question": "What is the date of the memo?", "question_types": ["handwritten", "form"],
     "image": <image>, "docId": 12, "ucsf_document_id": "abcd0001", "ucsf_document_page_no": "3",
     "answers": ["May 4, 1981", "5/4/81"], "data_split": "val"}

The RRC's val_v1.0_withQT.json has such rows under `data`, with the path of the image. The harness's TSV has the text of
the list in `answer`. The answers of the test split are not public.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep.benchmarks.columns import column, question_text, texts
from data_prep.fields import as_list, image_list, other_split
from data_prep.read_text import json_rows
from data_prep.source import Hub, Options, Question, Source

RRC_SPLITS = {"validation": "val"}
"""Our name of a split -> the RRC's, where they differ."""
KEPT = ("question_types", "answer_type", "operation/reasoning")


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    if other_split(raw, options):
        return
    yield Question(
        text=question_text(raw, "question"),
        kind="text",
        ground_truth=texts(column(raw, "answers", "answer")),
        info={name: as_list(raw[name]) for name in KEPT if as_list(raw.get(name))},
        images=image_list(column(raw, "image", "image_local_name", "image_path")),
    )


def rrc_rows(path: Path, options: Options, prefix: str = "") -> Iterator[dict[str, Any]]:
    """The rows of the RRC's file of the split, the one with question types if both are there; ValueError if none is."""
    if path.is_dir():
        pattern = f"{prefix}{RRC_SPLITS.get(options.split, options.split)}_v1.0*.json"
        found = sorted(path.glob(pattern))
        if not found:
            raise ValueError(f"{path} holds no {pattern}: name the file, or choose another --split")
        path = found[-1]
    return json_rows(path)


def identify(raw: Mapping[str, Any]) -> Any:
    return column(raw, "questionId", "index")


SOURCE = Source(
    name="docvqa",
    title="questions about scanned documents (DocVQA)",
    task="docvqa",
    splits=("validation", "test", "train"),
    convert=convert,
    hub=(Hub(id="lmms-lab/DocVQA", config="DocVQA"), Hub(id="lmms-lab-encoder/DocVQA", config="DocVQA")),
    tsv=("DocVQA_VAL",),
    files=("val_v1.0*.json", "test_v1.0*.json", "train_v1.0*.json"),
    identify=identify,
    rows={"validation": 5349},
    load=rrc_rows,
)
