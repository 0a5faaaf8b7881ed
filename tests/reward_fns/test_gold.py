from __future__ import annotations

import json
import subprocess
import sys

import pytest
from rows import ROWS, Row

from reward_fns.registry import TASKS, verify
from reward_fns.score import compute_score

NAMES = [f"{at}-{row.task}" for at, row in enumerate(ROWS)]


def test_every_task_has_a_row() -> None:
    assert {row.task for row in ROWS} == set(TASKS)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
@pytest.mark.parametrize("as_text", [False, True])
def test_the_truth_in_the_right_format_scores_one(row: Row, as_text: bool) -> None:
    """`info` and truth as objects, and as the JSON texts that a parquet row holds."""
    truth = json.dumps(row.truth) if as_text and not isinstance(row.truth, str) else row.truth
    extra = {"task": row.task, "index": 0, "info": json.dumps(row.info) if as_text else row.info}
    response = f"<thinking>because</thinking><answer>{row.answer}</answer>"
    found = compute_score(f"set/{row.task}", response, truth, extra)
    assert (found["acc"], found["accuracy"], found["format"]) == (1.0, pytest.approx(1.0), 1.0)
    structured = TASKS[row.task].structure is not None
    assert found["structure"] == float(structured)
    assert found["score"] == pytest.approx(1.1 if structured else 1.0)


@pytest.mark.parametrize("row", ROWS, ids=NAMES)
def test_nothing_and_prose_earn_nothing(row: Row) -> None:
    for answer in ("", "I do not know.", "<answer></answer>"):
        found = compute_score(row.task, f"<thinking>{row.answer}</thinking>{answer}", row.truth, {"info": row.info})
        assert (found["accuracy"], found["score"]) == (0.0, 0.0)


@pytest.mark.parametrize("row", [row for row in ROWS if TASKS[row.task].structure], ids=lambda row: row.task)
@pytest.mark.parametrize("answer", ["on the left", "{}"])
def test_an_answer_that_is_not_the_json_of_its_task_earns_no_structure(row: Row, answer: str) -> None:
    response = f"<thinking>t</thinking><answer>{answer}</answer>"
    found = compute_score(row.task, response, row.truth, {"info": row.info})
    assert (found["format"], found["structure"]) == (1.0, 0.0)


UNVERIFIABLE = [
    Row("mathverse", "C\nD", "C", {"question_type": "multi-choice"}),
    Row("mathverse", "Yes, because the sides are equal", "Yes", {"question_type": "free-form"}),
    Row("charxiv", "increasing", "increasing", {"inst_category": 2, "question": "How does it change?"}),
]


@pytest.mark.parametrize("row", UNVERIFIABLE, ids=lambda row: f"{row.task}-{row.truth[:9]!r}")
def test_a_row_that_no_rule_can_judge_is_marked_whatever_the_answer(row: Row) -> None:
    for answer in (row.answer, row.truth, "x"):
        response = f"<thinking>t</thinking><answer>{answer}</answer>"
        assert verify(row.task, answer, row.truth, row.info).official is None
        assert compute_score(row.task, response, row.truth, {"info": row.info})["verifiable"] is False


def test_an_empty_gold_is_contained_in_everything_but_earns_nothing() -> None:
    verdict = verify("ocrbench", "anything", '[""]', {"dataset": "IIIT5K"})
    assert (verdict.official, verdict.reward) == (1.0, 0.0)


HEAVY = [
    "torch",
    "verl",
    "ray",
    "numpy",
    "scipy",
    "sympy",
    "math_verify",
    "rapidfuzz",
    "shapely",
    "pycocotools",
    "nltk",
]


def test_importing_the_score_is_light() -> None:
    script = f"import sys, reward_fns.score; print([name for name in {HEAVY!r} if name in sys.modules])"
    assert subprocess.run([sys.executable, "-c", script], capture_output=True, text=True).stdout.strip() == "[]"
