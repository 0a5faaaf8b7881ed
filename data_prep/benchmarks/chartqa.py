"""ChartQA: short questions about charts, half of them by people, half made from captions.

A row of the authors' ahmed-masry/ChartQA (`image` is the encoded file), and one of lmms-lab/ChartQA, `test` only:

    {"imgname": "7.png", "query": "What is the value of 2019?", "label": "14.5", "type": "human", "image": b"…"}
    {"type": "human_test", "question": "What is the value of 2019?", "answer": "14.5", "image": {"bytes": …}}

HuggingFaceM4/ChartQA has a list of one text as `label` and 0 or 1 as `human_or_machine`. The authors' folder has
test/test_human.json and test/test_augmented.json (imgname, query, label) beside test/png; the harness's TSV has
`split` (test_human, test_augmented) and the image as base64.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep import fields
from data_prep.read_text import json_rows
from data_prep.source import Hub, Options, Question, SetAside, Source

FILES = ("**/{split}/{split}_human.json", "**/{split}/{split}_augmented.json", "{split}_human.json",
         "{split}_augmented.json")  # fmt: skip


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    answer = _answer(raw["answer"] if "answer" in raw else raw["label"])
    if not answer:
        raise SetAside("no answer")
    question = fields.question(raw["question"] if "question" in raw else raw["query"])
    return [
        Question(text=question, kind="open", ground_truth=answer, info={"type": _type(raw)}, images=[raw["image"]]),
    ]


def _answer(label: Any) -> str:
    """The text; a list of several as `[a, b]`, as such answers are written in the data."""
    if not isinstance(label, list | tuple):
        return fields.text(label)
    texts = [fields.text(each) for each in label]
    return texts[0] if len(texts) == 1 else f"[{', '.join(texts)}]" if texts else ""


def _type(raw: Mapping[str, Any]) -> str:
    """`human` or `augmented`, whatever the form calls it."""
    known = [name for name in ("type", "human_or_machine", "split") if name in raw]
    value = str(raw[known[0] if known else "type"]).lower()
    if value == "0" or "human" in value:
        return "human"
    if value == "1" or "augmented" in value or "machine" in value:
        return "augmented"
    raise SetAside("neither human nor augmented", value)


def load(path: Path, options: Options) -> Iterator[Mapping[str, Any]]:
    """The authors' files: the type is in their name, the images lie in `png` beside them."""
    patterns = [pattern.format(split=options.split) for pattern in FILES]
    files = [path] if path.is_file() else [file for pattern in patterns for file in sorted(path.glob(pattern))]
    for file in dict.fromkeys(files):
        for row in json_rows(file):
            yield {**row, "type": file.stem, "image": str(file.parent / "png" / row["imgname"])}


SOURCE = Source(
    name="chartqa",
    title="short questions about charts (ChartQA)",
    splits=("test", "val", "train"),
    convert=convert,
    hub=(
        Hub(id="ahmed-masry/ChartQA"),
        Hub(id="lmms-lab/ChartQA"),
        Hub(id="lmms-lab-encoder/ChartQA"),
        Hub(id="HuggingFaceM4/ChartQA"),
    ),
    task="chartqa",
    tsv=("ChartQA_TEST",),
    files=FILES,
    rows={"test": 2_500, "val": 1_920, "train": 28_299},
    load=load,
)
