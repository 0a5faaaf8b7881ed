"""What a row's problem type is, for OneThinker's rows and those of benchmarks."""

import json

import pytest

from data_prep.onethinker import KINDS
from reward_fns.registry import TASKS, resolve_task
from verl_ext.problem_type import problem_type


@pytest.mark.parametrize(
    ("task", "info", "expected"),
    [
        ("regression", {"problem_type": "regression", "data_type": "image"}, "regression"),
        ("ocr", {"problem_type": "OCR", "data_type": "image"}, "ocr"),
        ("multiple choice", {"problem_type": "multiple choice", "options": ["A. 1"]}, "multiple_choice"),
        ("tracking", {"problem_type": "tracking", "data_type": "video"}, "tracking"),
        ("segmentation", {"problem_type": "segmentation", "data_type": "image"}, "segmentation_image"),
        ("segmentation", {"problem_type": "Segmentation", "data_type": "video"}, "segmentation_video"),
        ("mmstar", {"choices": {"A": "red"}}, "multiple_choice"),
        ("mmmu", {"choices": {"A": "red"}, "question_type": "multiple-choice"}, "multiple_choice"),
        ("mmmu", {"question_type": "open"}, "text"),
        ("mathvision", {"choices": ["1", "2"]}, "multiple_choice"),
        ("mathvision", {"choices": []}, "text"),
        ("chartqa", {}, "numerical"),
        ("arithmetic", {}, "numerical"),
        ("docvqa", {}, "text"),
        ("refcocog", {"box_format": "relative_1000"}, "spatial_grounding"),
        ("refspatial", {"point_format": "unit"}, "point"),
        ("robospatial", {"kind": "yes/no"}, "yes_no"),
        ("robospatial", {"kind": "point"}, "point"),
        ("chartqa", {"problem_type": "year"}, "year"),
    ],
)
def test_problem_type(task, info, expected):
    task = resolve_task(task)
    assert problem_type(task, {"task": task.name, "info": json.dumps(info)}) == expected
    assert problem_type(task, {"info": info}) == problem_type(task, info) == expected


def test_onethinkers_types_are_its_tasks_but_for_segmentation():
    types = {name: problem_type(resolve_task(name), {"problem_type": name}) for name in KINDS}
    assert types.pop("segmentation") == "segmentation_image"
    assert {name: resolve_task(name).name for name in types} == types


def test_every_task_has_a_type_without_any_info():
    assert all(problem_type(task, {}) for task in TASKS.values())
