"""CharXiv: reasoning questions about figures of papers.

A row of princeton-nlp/CharXiv (the descriptive questions of the same row are another task):

    {"figure_path": "images/7.jpg", "image": {"bytes": …}, "category": "cs", "year": "21", "num_subplots": 1, …,
     "reasoning_q": "Which line ends highest?", "reasoning_a": "Model B", "reasoning_a_type": 1,
     "reasoning_q_source": 1}

`reasoning_a_type` is the category of the answer: a text of the chart (1), another text (2), a number of the chart (3),
another number (4). The authors' data/reasoning_val.json has, under its number, {"figure_id", "query", "answer",
"inst_category", "qa_source"}, the images lie in `images`. The harness's TSV has `question` with the authors'
instruction behind it, `answer`, `inst_category` and the image as base64. The answers of `test` are hidden.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from data_prep import fields
from data_prep.read_text import json_rows
from data_prep.source import Hub, Options, Question, SetAside, Source
from reward_fns.number import parse_number
from reward_fns.registry import verify

FILES = ("data/reasoning_{split}.json", "reasoning_{split}.json")
_ASKED = {
    1: "The answer is text that stands in the figure, names in full; separate several by commas.",
    2: "The answer is one of the options that the question offers, else a short phrase.",
    3: "The answer is a number that stands in the figure, as it is written there.",
}


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    answer = fields.text(raw["answer"] if "answer" in raw else raw["reasoning_a"])
    if not answer or answer == "?":
        raise SetAside("no answer")
    category = fields.whole(raw["inst_category"] if "inst_category" in raw else raw["reasoning_a_type"])
    if category not in (1, 2, 3, 4):
        raise SetAside("inst_category is not 1 to 4", str(category))
    question = _question(raw)
    info = {"inst_category": category, "question": question}
    numeric = category in (3, 4) and parse_number(answer) is not None
    return [
        Question(
            text=f"{question}\n{_ASKED.get(category) or _decimals(answer)}",
            kind="number" if numeric else "text",
            ground_truth=answer,
            info=info,
            images=[raw["image"]],
            unverifiable=verify("charxiv", "", answer, info).official is None,
        )
    ]


def _question(raw: Mapping[str, Any]) -> str:
    """Without the authors' instruction, which their own code puts behind it as a list."""
    name = next((name for name in ("reasoning_q", "query", "raw_question") if name in raw), "question")
    return re.split(r"\n\s*\* ", fields.question(raw[name]))[0].strip()


def _decimals(answer: str) -> str:
    """What the authors ask of category 4: as many decimals as the gold has."""
    places = len(answer.partition(".")[2])
    return f"The answer is a number with {places} decimal place{'s' if places != 1 else ''}." if places else (
        "The answer is an exact integer."
    )  # fmt: skip


def load(path: Path, options: Options) -> Iterator[Mapping[str, Any]]:
    """The authors' file, with the paths of the images: in `images` beside it or one folder up."""
    file = fields.own_file(path, [pattern.format(split=options.split) for pattern in FILES])
    places = [parent / "images" for parent in (file.parent, file.parent.parent)]
    folder = next((place for place in places if place.is_dir()), places[0])
    for row in json_rows(file):
        yield {**row, "image": str(folder / f"{row['figure_id']}.jpg")}


SOURCE = Source(
    name="charxiv",
    title="reasoning about figures of papers (CharXiv)",
    splits=("val", "test"),
    convert=convert,
    hub=(Hub(id="princeton-nlp/CharXiv", splits={"val": "validation"}),),
    task="charxiv",
    tsv=("CharXiv_reasoning_val",),
    files=FILES,
    identify=lambda raw: next((raw[name] for name in ("figure_id", "figure_path", "index") if name in raw), None),
    rows={"val": 1_000, "test": 1_320},
    load=load,
)
