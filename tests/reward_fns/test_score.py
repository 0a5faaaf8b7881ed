from __future__ import annotations

import json
import time

import pytest

from reward_fns.registry import TASKS
from reward_fns.score import compose, compute_score
from reward_fns.settings import Envelope, RewardSettings
from reward_fns.verdict import VerifierError

ENVELOPE = RewardSettings(envelope=Envelope(10, 20, 30, 50))


def respond(answer: str) -> str:
    return f"<thinking>t</thinking><answer>{answer}</answer>"


def score(task: str, response: str, truth: object, settings: RewardSettings | None = None, **extra: object) -> dict:
    return compute_score(f"offline/{task}", response, truth, {"task": task, "index": 7, **extra}, settings=settings)


def test_right_and_well_formed() -> None:
    assert score("arithmetic", respond("62"), "62") == {
        "score": 1.0,
        "acc": 1.0,
        "accuracy": 1.0,
        "format": 1.0,
        "structure": 0.0,
        "length": 0.0,
        "response_tokens": -1.0,
        "truncated": False,
        "verifiable": True,
        "task": "arithmetic",
        "category": "math_vqa",
    }


@pytest.mark.parametrize(
    ("response", "tokens", "settings", "expected", "why"),
    [
        (respond("62"), None, ENVELOPE, 1.0, "no token count: the length weight goes to accuracy"),
        (respond("62"), 25, RewardSettings(), 1.0, "no envelope: the same"),
        (respond("62"), 25, ENVELOPE, 1.0, "in the envelope"),
        (respond("62"), 15, ENVELOPE, 0.95, "half way up"),
        (respond("62"), 60, ENVELOPE, 0.9, "beyond"),
        (respond("61"), 25, ENVELOPE, 0.1, "wrong: length does not pay"),
        (respond("61"), 25, RewardSettings(envelope=ENVELOPE.envelope, length_gate="always"), 0.2, "unless it should"),
        ("<thinking>t</thinking>62", 25, ENVELOPE, 0.0, "right without tags earns nothing"),
        ("<answer>62</answer>", None, RewardSettings(), 0.9, "right, format wrong"),
        ("<thinking></thinking><answer></answer>", None, RewardSettings(), 0.0, "empty tags earn nothing"),
        ("<thinking>then 62</thinking><answer></answer>", None, RewardSettings(), 0.0, "nor does the thinking part"),
    ],
)
def test_composition(response: str, tokens: int | None, settings: RewardSettings, expected: float, why: str) -> None:
    assert score("arithmetic", response, "62", settings, response_tokens=tokens)["score"] == pytest.approx(expected), (
        why
    )


@pytest.mark.parametrize(
    ("gate", "expected"),
    [("correct", [0.0, 0.0, 1.0, 1.0]), ("positive", [0.0, 1.0, 1.0, 1.0]), ("always", [1.0, 1.0, 1.0, 1.0])],
)
def test_length_gate(gate: str, expected: list[float]) -> None:
    settings = RewardSettings(envelope=ENVELOPE.envelope, length_gate=gate)
    parts = {"well_formed": 1.0, "structure": 0.0, "tokens": 25, "truncated": False, "settings": settings}
    assert [compose(accuracy=accuracy, **parts)[1] for accuracy in (0.0, 0.2, 0.5, 1.0)] == expected


@pytest.mark.parametrize(("pays", "expected"), [(False, 0.9), (True, 1.0)])
def test_a_truncated_response_earns_no_length_part_unless_it_should(pays: bool, expected: float) -> None:
    settings = RewardSettings(envelope=ENVELOPE.envelope, length_of_truncated=pays)
    found = score("arithmetic", respond("62"), "62", settings, response_tokens=25, truncated=True)
    assert found["score"] == pytest.approx(expected)


def test_length_scope_decides_which_tokens_the_envelope_sees() -> None:
    counts = {"response_tokens": 45, "thinking_tokens": 15}
    whole = score("arithmetic", respond("62"), "62", ENVELOPE, **counts)
    settings = RewardSettings(envelope=ENVELOPE.envelope, length_scope="thinking")
    thinking = score("arithmetic", respond("62"), "62", settings, **counts)
    assert (whole["length"], thinking["length"]) == (0.25, 0.5)
    assert thinking["response_tokens"] == 45.0
    uncounted = score("arithmetic", respond("62"), "62", settings, response_tokens=45)
    assert (uncounted["score"], uncounted["length"]) == (1.0, 0.0)


@pytest.mark.parametrize("tokens", [15, 25, 60])
def test_shaping_leaves_the_accuracy_that_filtering_sees(tokens: int) -> None:
    assert score("arithmetic", respond("62"), "62", ENVELOPE, response_tokens=tokens)["accuracy"] == 1.0


def test_the_score_can_be_composed_again_from_its_result() -> None:
    """What the trainer relies on where the envelope follows the lengths."""
    found = score("shape_box", respond('{"boxes": [1, 2, 30, 40]}'), "[1, 2, 30, 40]", ENVELOPE, response_tokens=35)
    parts = {"accuracy": found["accuracy"], "well_formed": found["format"], "structure": found["structure"]}
    again = compose(**parts, tokens=found["response_tokens"], truncated=found["truncated"], settings=ENVELOPE)
    assert again == (found["score"], found["length"])


def test_structure_needs_the_format_and_a_usable_box() -> None:
    good, truth = '{"boxes": [1, 2, 30, 40]}', "[1, 2, 30, 40]"
    assert score("shape_box", respond(good), truth)["score"] == pytest.approx(1.1)
    assert score("shape_box", f"<answer>{good}</answer>", truth)["structure"] == 0.0
    assert score("shape_box", respond('{"boxes": [0, 0, 0, 0]}'), truth)["structure"] == 0.0


def test_official_judges_the_text_behind_the_thinking_part_when_there_is_no_answer_block() -> None:
    found = score("arithmetic", "<thinking>t</thinking> 62 ", "62")
    assert (found["acc"], found["accuracy"]) == (1.0, 0.0)
    assert score("arithmetic", "<thinking>62</thinking>", "62")["acc"] == 0.0


def test_the_same_keys_and_types_for_every_task() -> None:
    truths = {"choice": "A", "word": "red", "integer": "1", "number": "1", "text": "a", "box": "[1, 2, 3, 4]"}
    truths["point"] = '{"size": [2, 2], "counts": [0, 2, 2]}'
    shapes = {
        tuple((key, type(value)) for key, value in score(task.name, "x", truths[task.answer_format]).items())
        for task in TASKS.values()
        if task.source.startswith("offline")
    }
    assert len(shapes) == 1


@pytest.mark.parametrize("info", [{"choices": {"A": "3", "B": "7"}}, json.dumps({"choices": {"A": "3", "B": "7"}})])
def test_info_as_object_or_text(info: object) -> None:
    assert score("digit_choice", respond("7"), "B", info=info)["accuracy"] == 1.0


def test_info_as_flat_keys() -> None:
    assert score("digit_choice", respond("7"), "B", choices={"A": "3", "B": "7"})["accuracy"] == 1.0


def test_unverifiable_rows_are_marked() -> None:
    found = compute_score("charts/unverifiable", respond("1"), "1", {"task": "bar_value"})
    assert (found["verifiable"], found["acc"], found["accuracy"]) == (False, 0.0, 0.0)


@pytest.mark.parametrize(("own", "counted"), [({"category": "math_vqa"}, "math_vqa"), ({}, "chart_vqa")])
def test_the_category_of_the_row_goes_before_that_of_its_task(own: dict[str, str], counted: str) -> None:
    assert score("numerical", respond("1"), "1", **own)["category"] == counted


def test_a_fault_of_the_row_names_it() -> None:
    with pytest.raises(VerifierError, match=r"task arithmetic, row 7 of offline/arithmetic.*'x'"):
        score("arithmetic", respond("1"), "x")


@pytest.mark.parametrize("answer", ["1" + "😀" * 4_500, "1" + "\x01" * 4_500, "x^2+1\ud800", "√" * 900])
def test_no_answer_is_a_fault(answer: str) -> None:
    found = compute_score("math", respond(answer), "$x^2$", {"index": 7})
    assert (found["accuracy"], found["verifiable"]) == (0.0, True)


def test_bad_info_names_the_row() -> None:
    with pytest.raises(VerifierError, match="row 7"):
        score("arithmetic", respond("1"), "1", info="[1]")


def test_unknown_source() -> None:
    with pytest.raises(ValueError, match="unknown task 'nowhere'"):
        compute_score("nowhere", respond("1"), "1")


@pytest.mark.parametrize("size", [30_000, 10_000_000])
def test_a_huge_answer_is_zero_at_once(size: int) -> None:
    start = time.process_time()
    found = score("field_read", respond("a" * size), "a")
    assert time.process_time() - start < 3
    assert (found["accuracy"], found["acc"]) == (0.0, 0.0)


def test_the_thinking_tag_is_a_setting() -> None:
    found = score("arithmetic", "<think>t</think><answer>62</answer>", "62", RewardSettings(thinking_tag="think"))
    assert found["score"] == 1.0
