"""MMMU: college questions with up to seven images, options or a short answer.

A row of MMMU/MMMU (a configuration per subject) or lmms-lab/MMMU:

    {"id": "validation_Geography_7", "question": "Which city lies at <image 1>?", "options": "['Oslo', '<image 2>']",
     "explanation": "", "image_1": {"bytes": …}, "image_2": {"bytes": …}, …, "image_7": None, "img_type": "['Maps']",
     "answer": "A", "topic_difficulty": "Easy", "question_type": "multiple-choice", "subfield": "Cities"}

Open questions: `question_type` "open", `options` "[]", `answer` one text or the text of a list, any of which is right.
The harness's TSV has the options in columns A to I, the images in one cell, and two splits in one file.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from data_prep import fields
from data_prep.source import Hub, Options, Question, SetAside, Source

SUBJECTS = (
    *("Accounting", "Agriculture", "Architecture_and_Engineering", "Art", "Art_Theory", "Basic_Medical_Science"),
    *("Biology", "Chemistry", "Clinical_Medicine", "Computer_Science", "Design", "Diagnostics_and_Laboratory_Medicine"),
    *("Economics", "Electronics", "Energy_and_Power", "Finance", "Geography", "History", "Literature", "Manage"),
    *("Marketing", "Materials", "Math", "Mechanical_Engineering", "Music", "Pharmacy", "Physics", "Psychology"),
    *("Public_Health", "Sociology"),
)
"""Its configurations on the hub."""


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    if fields.other_split(raw, options):
        return []
    is_open = fields.text(raw["question_type"]).lower() in ("open", "short-answer")
    if fields.text(raw["answer"]) in ("", "?"):
        raise SetAside("no answer")
    info: dict[str, Any] = {"subject": _subject(raw), "question_type": "open" if is_open else "multiple-choice"}
    text, truth = fields.question(raw["question"]), fields.text(raw["answer"])
    if is_open:
        golds = [fields.text(each) for each in fields.as_list(truth) if fields.text(each)]
        if not golds:
            raise SetAside("no answer")
        text, images = _placed(text, _images(raw))
        unverifiable = not fields.gold_scores("mmmu", golds[0], golds, info)
        return [
            Question(text=text, kind="open", ground_truth=golds, info=info, images=images, unverifiable=unverifiable)
        ]
    listed = raw.get("options")
    choices = fields.option_columns(raw) if listed is None else fields.letters(fields.as_list(listed))
    # The numbers stay in info: options that are images would otherwise all have the same text.
    info["choices"] = choices
    text, images = _placed(fields.with_options(text, choices), _images(raw))
    return [
        Question(text=text, kind="choice", ground_truth=fields.gold_letter(truth, choices), info=info, images=images)
    ]


def _subject(raw: Mapping[str, Any]) -> str:
    match = re.fullmatch(r"(?:dev|validation|test)_(.+)_\d+", fields.text(raw["id"]))
    return match[1] if match else fields.text(raw.get("l2-category")) or "unknown"


def _images(raw: Mapping[str, Any]) -> dict[int, Any]:
    """Number in the tags -> image."""
    if "image_1" in raw:
        columns = {number: raw.get(f"image_{number}") for number in range(1, 8)}
        return {number: image for number, image in columns.items() if not fields.missing(image)}
    return dict(enumerate(fields.image_list(raw["image"]), start=1))


def _placed(text: str, images: Mapping[int, Any]) -> tuple[str, list[Any]]:
    """The text with `<image>` at the first tag of every image, and the images in that order.

    A later tag names the image by its place among them; images without a tag stand in front.
    """
    tags = fields.image_tags(text)
    if lost := [number for number in tags if number not in images]:
        raise SetAside("a tag of an image that the row lacks", f"<image {lost[0]}>")
    order = [number for number in images if number not in tags]
    front = len(order)

    def mark(tag: re.Match[str]) -> str:
        number = int(tag[1])
        if number in order:
            return f"image {order.index(number) + 1}"
        order.append(number)
        return "<image>"

    text = fields.IMAGE_TAG.sub(mark, text)
    return "<image>" * front + text, [images[number] for number in order]


SOURCE = Source(
    name="mmmu",
    title="college questions of 30 subjects, options or a short answer (MMMU)",
    splits=("validation", "dev", "test"),
    convert=convert,
    hub=(Hub(id="MMMU/MMMU", configs=SUBJECTS), Hub(id="lmms-lab/MMMU"), Hub(id="lmms-lab-encoder/MMMU")),
    task="mmmu",
    tsv=("MMMU_DEV_VAL",),
    identify=lambda raw: raw["id"],
    rows={"validation": 900, "dev": 150, "test": 10_500},
)
