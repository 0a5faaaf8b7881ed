"""MathVerse: geometry and functions, each problem in five versions that move facts from the text into the figure.

A row of AI4Math/MathVerse, configuration and split `testmini` (the authors' testmini.json has the image's path;
CaraJ/MathVerse-lmmseval the same columns):

    {"sample_index": "7", "problem_index": "2", "problem_version": "Text Lite", "image": {"bytes": …},
     "question": "How large is angle A? ()\\nChoices:\\nA:40°\\nB:50°", "answer": "B", "question_type": "multi-choice",
     "metadata": {"split": "testmini", "source": "drawn", "subject": "Plane Geometry", "subfield": "Angle"},
     "query_wo": "Please answer …\\nQuestion: How large …", "query_cot": "…",
     "question_for_eval": "How large is angle A? ()\\nChoices:\\nA:40°\\nB:50°"}

"Vision Only" has an empty question, which then stands in the figure. The variant `text_only` has no image. Free answers
bear units, sentences, and degree signs that a wrong decoding has turned into 掳.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from data_prep import fields
from data_prep.source import Hub, Options, Question, SetAside, Source
from reward_fns.normalize import plain

_LETTER = re.compile(r"\(?([A-Z])[).]?")


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    version = fields.text(raw["problem_version"])
    if (options.variant == "text_only") != (version == "Text Only"):
        return []
    answer = raw["answer"]
    if not fields.text(answer):
        raise SetAside("no answer")
    question_type = fields.text(raw["question_type"])
    info: dict[str, Any] = {"question_type": question_type, "problem_version": version}
    is_choice = question_type.startswith("multi")
    if is_choice and (choices := _choices(raw)):
        info["choices"] = choices
    gold, repaired = _mended(str(answer), info.get("choices", {}) if is_choice else None)
    letter = is_choice and re.fullmatch("[A-Z]", gold) and gold in info.get("choices", gold)
    judged = (letter or not is_choice) and fields.gold_scores("mathverse", gold, gold, info)
    return [
        Question(
            text=_wording(raw, version),
            kind="choice" if is_choice else "math",
            ground_truth=gold,
            info=info,
            images=[] if version == "Text Only" else [raw["image"]],
            unverifiable=not judged,
            repaired=repaired,
        )
    ]


def _wording(raw: Mapping[str, Any], version: str) -> str:
    text = fields.after_hint(fields.text(raw["question"]))
    return "Answer the question that the image shows." if version == "Vision Only" or not text else text


def _choices(raw: Mapping[str, Any]) -> dict[str, str]:
    return fields.inline_options(fields.text(raw["question"])) or fields.inline_options(
        fields.text(raw["question_for_eval"])
    )


def _mended(answer: str, choices: Mapping[str, str] | None) -> tuple[str, str]:
    """(gold, what was mended) where the mending is certain; `choices` only of questions with options."""
    gold, notes = answer.strip(), []
    if gold != answer:
        notes.append("white space")
    if "掳" in gold:
        gold = gold.replace("掳", "°")
        notes.append("degree sign")
    if choices is not None and not re.fullmatch("[A-Z]", gold):
        texts = [letter for letter, text in choices.items() if plain(text) == plain(gold)]
        match = _LETTER.fullmatch(gold)
        found = match[1] if match else texts[0] if len(texts) == 1 else ""
        if found:
            gold = found
            notes.append("option to its letter")
    return gold, f"gold: {', '.join(notes)}" if notes else ""


SOURCE = Source(
    name="mathverse",
    title="mathematics in five versions from text to figure (MathVerse)",
    splits=("testmini",),
    convert=convert,
    hub=(
        Hub(id="AI4Math/MathVerse", config="testmini", variant="image"),
        Hub(
            id="AI4Math/MathVerse",
            config="testmini_text_only",
            splits={"testmini": "testmini_text_only"},
            variant="text_only",
        ),
        Hub(id="CaraJ/MathVerse-lmmseval", config="testmini", variant="image"),
        Hub(
            id="CaraJ/MathVerse-lmmseval",
            config="testmini_text_only",
            splits={"testmini": "text_only"},
            variant="text_only",
        ),
    ),
    task="mathverse",
    tsv=(
        *("MathVerse_MINI", "MathVerse_MINIV", "MathVerse_MINI_Vision_Only", "MathVerse_MINI_Vision_Dominant"),
        *("MathVerse_MINI_Vision_Intensive", "MathVerse_MINI_Text_Lite", "MathVerse_MINI_Text_Dominant"),
    ),
    identify=lambda raw: raw["sample_index"] if "sample_index" in raw else raw["index"],
    variants=("image", "text_only"),
    rows={"testmini": 3_940},
)
