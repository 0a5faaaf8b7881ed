from __future__ import annotations

import json

import pytest

from data_prep.offline import TASKS
from data_prep.prompts import ANSWERS, KINDS, full_prompt, prompt
from reward_fns import registry
from reward_fns.registry import verify


@pytest.mark.parametrize("kind", ANSWERS)
@pytest.mark.parametrize("tag", ["thinking", "think"])
def test_every_prompt_asks_for_the_tags(kind, tag):
    text = prompt("How many?", kind=kind, thinking_tag=tag)
    assert text.startswith("<image>How many? Think in ")
    assert f"<{tag}></{tag}>" in text and "<answer></answer>" in text


def test_placeholders_follow_the_number_of_images():
    assert prompt("Q", kind="word", images=0).startswith("Q ")
    assert prompt("Q", kind="word", images=2).startswith("<image><image>Q ")


def test_unknown_kind_names_the_nearest():
    with pytest.raises(ValueError, match=r"'integr' \(nearest: 'integer'\)"):
        prompt("Q", kind="integr")


def test_unknown_tag_is_refused():
    with pytest.raises(ValueError, match="'thought'; use one of thinking, think"):
        prompt("Q", kind="word", thinking_tag="thought")


def test_the_prompts_ask_for_what_the_verifiers_read():
    judged = {name: (task.category, task.answer_format) for name, task in registry.TASKS.items()}
    for name, task in TASKS.items():
        assert judged[name] == (task.category, task.kind)


MASK = {"size": [1000, 1000], "counts": [0, 1000000]}
POLYGON = [[0.0, 0.0], [1.0, 0.0], [1.0, 1.0], [0.0, 1.0]]
PIXELS = {"box_format": "pixels", "width": 640, "height": 480}
PIXEL_BOX = [35 / 0.64, 227 / 0.48, 137 / 0.64, 332 / 0.48]


@pytest.mark.parametrize(
    ("kind", "task", "truth", "info"),
    [
        ("choice", "mmstar", "B", {"choices": {"A": "a cat", "B": "a dog"}}),
        ("choice", "multiple_choice", "B", {"options": ["A. a cat", "B. a dog"]}),
        ("choice", "mathvista", "a dog", {"question_type": "multi_choice", "choices": ["a cat", "a dog"]}),
        ("word", "shape_color", "blue", {}),
        ("integer", "mathvista", "42", {"question_type": "free_form", "answer_type": "integer"}),
        ("number", "chartqa", "3.14", {}),
        ("number", "numerical", "3.14", {}),
        ("number", "regression", "3.14", {}),
        ("text", "docvqa", ["total 12.50"], {}),
        ("text", "ocrbench", ["Total 12.50"], {"question_type": "Doc-oriented VQA"}),
        ("text", "ocr", "Total 12.50", {}),
        ("math", "math", r"\frac{3}{2}", {}),
        ("math", "mathverse", "3/2", {"question_type": "free-form"}),
        ("math", "mathvision", r"\frac{3}{2}", {"choices": []}),
        ("list", "mathvista", "[2, 4, 8]", {"question_type": "free_form", "answer_type": "list"}),
        ("yes_no", "robospatial", "yes", {}),
        ("open", "mmmu", ["left ventricle"], {"question_type": "open"}),
        ("sentences", "open_ended", "A man repairs a bicycle in front of a shop.", {}),
        ("box", "refcoco", [35, 227, 437, 932], {}),
        ("box", "spatial_grounding", {"boxes": [35, 227, 437, 932]}, {}),
        ("box_pixels", "refcoco", PIXEL_BOX, PIXELS),
        ("point", "refspatial", MASK, {"point_format": "relative_1000"}),
        ("point", "robospatial", POLYGON, {"point_format": "relative_1000"}),
        ("point_unit", "refspatial", MASK, {"point_format": "unit"}),
        ("point_unit", "robospatial", POLYGON, {"point_format": "unit"}),
        ("span", "temporal_grounding", {"time": [12.3, 25.7]}, {}),
        ("frames", "tracking", {"boxes": {"1": [405, 230, 654, 463], "2": [435, 223, 678, 446]}}, {}),
        ("span_frames", "spatial_temporal_grounding",
         {"time": [8.1, 10.4], "boxes": {"9": [317, 422, 582, 997], "10": [332, 175, 442, 369]}}, {}),
        ("segmentation", "segmentation", json.loads(KINDS["segmentation"][1]), {"data_type": "image"}),
        ("segmentation_video", "segmentation", json.loads(KINDS["segmentation_video"][1]), {"data_type": "video"}),
    ],
)  # fmt: skip
def test_the_example_of_a_prompt_is_what_the_verifier_reads(kind, task, truth, info):
    verdict = verify(task, KINDS[kind][1], truth, info)
    assert (verdict.official, verdict.reward) == (1.0, pytest.approx(1.0))


def test_the_full_prompt_asks_for_the_tags_and_shows_an_example():
    for kind, (_, example) in KINDS.items():
        text = full_prompt("How many?", kind=kind, thinking_tag="think", images=1, width=640, height=480)
        assert text.startswith("<image>How many?\nFirst think inside <think></think>.")
        assert text.endswith(f"Example: <answer>{example}</answer>") and "{width}" not in text


@pytest.mark.parametrize(
    ("question", "images", "videos", "start"),
    [
        ("Compare <image> and <image>.", 2, 0, "Compare <image> and <image>."),
        ("Compare <image> with it.", 2, 0, "<image>Compare <image> with it."),
        ("What happens?", 0, 1, "<video>What happens?"),
        ("Both?", 1, 1, "<image><video>Both?"),
        ("1 + 1?", 0, 0, "1 + 1?"),
    ],
)
def test_marks_that_are_missing_go_in_front(question, images, videos, start):
    assert full_prompt(question, kind="integer", images=images, videos=videos).startswith(start + "\n")


def test_an_unknown_kind_of_the_full_prompt_names_the_nearest():
    with pytest.raises(ValueError, match=r"'spam' \(nearest: 'span'\)"):
        full_prompt("Q", kind="spam")
