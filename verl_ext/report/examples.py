"""A few validation rows with the gold answer and the answers before and after training (images: pictures.py)."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field

from reward_fns.extract import extract
from verl_ext import summary
from verl_ext.report.run import Run

MAX_TEXT = 2000
MAX_ANSWER = 200
MAX_DRAWN = 10_000
"""characters of an answer whose places are drawn"""
PER_CATEGORY = 3
OUTCOMES = ("became right", "became wrong", "stayed wrong", "stayed right", "wrong", "right")
"""in the order in which examples are looked for; the last two while there is one validation only"""


@dataclass(frozen=True)
class Answer:
    """One response, cut to what a page can bear."""

    when: str
    """before or after"""
    step: int
    acc: float
    answer: str
    response: str
    places: str
    """the answer as it was judged, for drawing"""


@dataclass(frozen=True)
class Shape:
    """As data_prep.drawing.Shape, and whose it is."""

    kind: str
    whose: str
    """gold, before or after"""
    at: tuple[float, ...]


@dataclass
class Example:
    """One validation row as the page shows it."""

    row: str
    task: str
    category: str
    outcome: str
    gold: str
    question: str
    answers: list[Answer]
    image: str | None = None
    """data URI"""
    outline: str | None = None
    """data URI of a transparent overlay with the edge of the gold region"""
    size: tuple[int, int] = (0, 0)
    images: int = 0
    """of the row; the first is shown"""
    shapes: list[Shape] = field(default_factory=list)


@dataclass(frozen=True)
class Outcomes:
    """How many rows of each category had which outcome."""

    names: list[str]
    rows: list[tuple[str, dict[str, int]]]


def choose_examples(run: Run) -> tuple[list[Example], Outcomes]:
    """Up to three rows a category, each of another outcome and if possible another task, and how many rows had which.

    The choice is the same every time: for each outcome the row with the lowest number.
    """
    if not run.validations:
        return [], Outcomes([], [])
    ends = run.validations[:1] + run.validations[1:][-1:]
    rows = {row: [v.rows[row] for v in ends] for row in ends[0].rows if all(row in v.rows for v in ends)}
    outcomes: dict[str, dict[str, list[str]]] = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=number):
        outcomes[rows[row][0].category][_outcome([each.acc for each in rows[row]])].append(row)
    chosen: dict[str, str] = {}
    for found in outcomes.values():
        tasks: set[str] = set()
        for outcome in [each for each in OUTCOMES if found[each]][:PER_CATEGORY]:
            row = next((row for row in found[outcome] if rows[row][0].task not in tasks), found[outcome][0])
            tasks.add(rows[row][0].task)
            chosen[row] = outcome
    categories = [category for category in run.names("category") if category in outcomes]
    examples = _read_answers(run, [v.step for v in ends], chosen)
    examples.sort(key=lambda e: (categories.index(e.category), OUTCOMES.index(e.outcome)))
    names = [name for name in OUTCOMES if any(found[name] for found in outcomes.values())]
    return examples, Outcomes(
        names, [(each, {name: len(outcomes[each][name]) for name in names}) for each in categories]
    )


def answer_of(response: str) -> str:
    """The answer that the reward judges, or what stands where it should be."""
    found = extract(response)
    return found.answer if found.answer is not None else found.tail


def clip(text: str, most: int = MAX_TEXT) -> str:
    """At most `most` characters, and how many there are."""
    return text if len(text) <= most else f"{text[:most]} … ({len(text):,} characters in all)"


def _outcome(accs: list[float]) -> str:
    right = [acc >= 0.5 for acc in accs]
    if len(right) == 1:
        return "right" if right[0] else "wrong"
    if right[0] == right[1]:
        return "stayed right" if right[0] else "stayed wrong"
    return "became right" if right[1] else "became wrong"


def _read_answers(run: Run, steps: list[int], chosen: Mapping[str, str]) -> list[Example]:
    """The examples with the first response to each chosen row in each validation."""
    examples: dict[str, Example] = {}
    for when, step in zip(("before", "after"), steps, strict=False):
        seen = set()
        for _, record in summary.read_jsonl(run.path / "validation" / f"{step}.jsonl"):
            row = str((record or {}).get("row"))
            if record is None or row not in chosen or row in seen or record.get("acc") is None:
                continue
            seen.add(row)
            response = str(record.get("output", ""))
            found = answer_of(response)
            shown = clip(found, MAX_ANSWER), clip(response), found[:MAX_DRAWN]
            answer = Answer(when, step, float(record["acc"]), *shown)
            task, category = str(record["task"]), str(record["category"])
            gold, question = str(record.get("gts", "")), clip(str(record.get("input", "")))
            examples.setdefault(row, Example(row, task, category, chosen[row], gold, question, []))
            examples[row].answers.append(answer)
    return list(examples.values())


def number(row: str) -> tuple[int, str]:
    """("val/17" → 17) for order; rows without a number come last."""
    tail = row.rpartition("/")[2]
    return (int(tail), row) if tail.isdecimal() and len(tail) < 19 else (1 << 60, row)


def short_gold(example: Example) -> str:
    """The gold answer as text; a mask only by name."""
    try:
        value = json.loads(example.gold)
    except (ValueError, RecursionError):
        value = None
    return "the marked region" if isinstance(value, dict) and "counts" in value else clip(example.gold, MAX_ANSWER)
