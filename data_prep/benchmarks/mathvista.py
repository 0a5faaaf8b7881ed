"""MathVista: mathematics in figures; options, integers, decimals or lists.

A row of AI4Math/MathVista, split `testmini` (the authors' testmini.json: the same under the pid, without
`decoded_image`; the answers of `test` are hidden):

    {"pid": "7", "question": "How long is the rod?", "image": "images/7.jpg", "decoded_image": {"bytes": …},
     "choices": None, "unit": "m", "precision": 1.0, "answer": "1.5", "question_type": "free_form",
     "answer_type": "float", "metadata": {"category": "math-targeted-vqa", "task": "geometry problem solving", …},
     "query": "Hint: Please answer … with one decimal place …\\nQuestion: How long is the rod? (Unit: m)"}

With options, `answer` is the text of one. The harness's TSV has the query as `question`, the letter as `answer_option`,
the choices as the text of a list, and neither unit nor precision.
"""

from __future__ import annotations

import re
import string
from collections.abc import Iterable, Mapping
from typing import Any

from data_prep import fields
from data_prep.source import Hub, Options, Question, SetAside, Source

LETTERS = string.ascii_uppercase
KINDS = {"integer": "integer", "float": "number", "list": "list", "text": "open"}


def convert(raw: Mapping[str, Any], options: Options) -> Iterable[Question]:
    answer, answer_type = fields.text(raw["answer"]), fields.text(raw["answer_type"])
    if not answer:
        raise SetAside("no answer")
    choices = [fields.text(each) for each in fields.as_list(raw["choices"])]
    info: dict[str, Any] = {"question_type": _question_type(raw, choices), "answer_type": answer_type}
    text = _wording(raw)
    image = raw["image"] if fields.missing(raw.get("decoded_image")) else raw["decoded_image"]
    if info["question_type"] == "multi_choice":
        gold, kind, info["choices"] = _choice(answer, choices), "choice", choices
        text = fields.with_options(text, fields.letters(choices))
    elif answer_type not in KINDS:
        raise SetAside("unknown answer_type", answer_type)
    else:
        precision = _precision(raw, answer) if answer_type == "float" else None
        gold, kind, info["choices"] = _written(answer, answer_type), KINDS[answer_type], None
        info["precision"] = precision
        if precision is not None:
            text += f" (Answer with {precision} decimal place{'s' if precision != 1 else ''}.)"
    repaired = "" if gold == answer or kind == "choice" else "number in the scorer's notation"
    # The letter: the scorer takes a text that is one, or holds one in brackets, for another option's letter.
    said = LETTERS[choices.index(gold)] if kind == "choice" else gold
    unverifiable = not fields.gold_scores("mathvista", said, gold, info)
    return [
        Question(
            text=text,
            kind=kind,
            ground_truth=gold,
            info=info,
            images=[image],
            repaired=repaired,
            unverifiable=unverifiable,
        )
    ]


def _question_type(raw: Mapping[str, Any], choices: list[str]) -> str:
    return fields.text(raw["question_type"]) if "question_type" in raw else "multi_choice" if choices else "free_form"


def _wording(raw: Mapping[str, Any]) -> str:
    """The question itself: neither hint nor choices, with its unit."""
    text = fields.after_hint(fields.question(raw["question"]))
    text = re.split(r"\n\s*choices:\s*\n", text, flags=re.IGNORECASE)[0]
    unit = fields.text(raw.get("unit"))
    return f"{text} (Unit: {unit})" if unit and "(Unit:" not in text else text


def _choice(answer: str, choices: list[str]) -> str:
    """The text of the right choice, of which some forms have the letter."""
    if answer in choices:
        return answer
    return choices[LETTERS.index(fields.gold_letter(answer, fields.letters(choices)))]


def _precision(raw: Mapping[str, Any], answer: str) -> int:
    """Decimals asked for: the column (the hub has floats), the hint's words, or those of the answer."""
    said = fields.whole(raw.get("precision"))
    if isinstance(said, int):
        return said
    hint = re.search(r"\b(one|two|three) decimal places?\b", fields.text(raw["question"]))
    return {"one": 1, "two": 2, "three": 3}[hint[1]] if hint else len(answer.partition(".")[2])


def _written(answer: str, answer_type: str) -> str:
    """Numbers as the official scorer writes them, so that they can be equal: 1.5 for 1.50, 7 for 7.0."""
    try:
        number = float(answer)
    except ValueError:
        return answer
    if answer_type == "integer":
        return str(int(number)) if number.is_integer() else answer
    return str(number) if answer_type == "float" else answer


SOURCE = Source(
    name="mathvista",
    title="mathematics in figures, charts and photographs (MathVista)",
    splits=("testmini", "test"),
    convert=convert,
    hub=(Hub(id="AI4Math/MathVista"),),
    task="mathvista",
    tsv=("MathVista_MINI",),
    files=("data/{split}.json", "{split}.json"),
    identify=lambda raw: raw["pid"] if "pid" in raw else raw["index"],
    rows={"testmini": 1_000, "test": 5_141},
)
