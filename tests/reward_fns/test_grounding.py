from __future__ import annotations

import json
from typing import Any

import pytest

from reward_fns.registry import TASKS, verify

BOX, OTHER = [100, 100, 300, 300], [100, 200, 300, 400]
TRACK = {"boxes": {"1": BOX, "2": BOX, "3": BOX, "4": BOX}}
EVENT = {"time": [1, 4], **TRACK}


@pytest.mark.parametrize(
    ("task", "given", "truth", "official", "reward", "why"),
    [
        ("temporal grounding", {"time": [2, 6]}, {"time": [4, 8]}, 1 / 3, 1 / 3, "IoU"),
        ("temporal grounding", {"time": [6, 2]}, {"time": [4, 8]}, 0, 0, "reversed"),
        ("temporal grounding", {"time": ["4", "8"]}, {"time": [4, 8]}, 1, 0, "texts pass in the source"),
        ("temporal grounding", {"time": [3, 3]}, {"time": [3, 3]}, 1, 1, "the truth is right, though it has no extent"),
        ("temporal grounding", {"time": [0, 1000000]}, {"time": [4, 8]}, 4e-6, 4e-6, "everything"),
        ("spatial grounding", {"boxes": BOX}, {"boxes": BOX}, 1, 1, "exact"),
        ("spatial grounding", {"boxes": OTHER}, {"boxes": BOX}, 1 / 3, 0.8 / 3, "IoU"),
        ("spatial grounding", {"boxes": [300, 300, 100, 100]}, {"boxes": BOX}, 0, 0, "reversed"),
        ("tracking", TRACK, TRACK, 1, 1, "exact"),
        ("tracking", {"boxes": {"1": BOX}}, TRACK, 0.25, 0.25, "missing frames are 0"),
        ("tracking", {"boxes": {f"{n}": BOX for n in range(1, 33)}}, TRACK, 1, 4 / 32, "further frames cost"),
        ("tracking", {"boxes": {"1.0": BOX, "2": BOX, "3": BOX, "4": BOX}}, TRACK, 0.75, 1, "1.0 is 1"),
        ("tracking", {"boxes": {"1": BOX, "1.0": BOX}}, TRACK, 0.25, 0, "the same frame twice"),
        ("spatial-temporal grounding", EVENT, EVENT, 1, 1, "exact"),
        ("spatial-temporal grounding", {"time": [1, 4], "boxes": {"1": BOX}}, EVENT, 1, 0.625, "one easy frame"),
        ("spatial-temporal grounding", {"time": [1, 4], "boxes": {}}, EVENT, 0.5, 0, "no frame"),
        ("spatial-temporal grounding", {"time": [1, 4]}, EVENT, 0.5, 0, "no boxes"),
    ],
)
def test_grounding(task: str, given: Any, truth: Any, official: float, reward: float, why: str) -> None:
    verdict = verify(task, json.dumps(given), json.dumps(truth))
    assert verdict.official == pytest.approx(official), why
    assert verdict.reward == pytest.approx(reward), why


@pytest.mark.parametrize(("task", "truth"), [("tracking", TRACK), ("spatial_temporal_grounding", EVENT)])
@pytest.mark.parametrize(
    ("boxes", "expected"),
    [
        (TRACK["boxes"], 1.0),
        ({"1": BOX}, 0.625),
        ({str(n): BOX for n in range(200)}, 0.51),
        ({"1": [0, 0, 0, 0]}, 0.0),
    ],
)
def test_structure_counts_the_wanted_frames(task: str, truth: Any, boxes: Any, expected: float) -> None:
    structure = TASKS[task].structure
    assert structure is not None
    assert structure(json.dumps({**truth, "boxes": boxes}), json.dumps(truth), {}) == expected


def test_a_truth_that_is_no_object_is_an_error() -> None:
    with pytest.raises(ValueError, match="ground_truth"):
        verify("tracking", "{}", "[]")
    with pytest.raises(ValueError, match="ground_truth"):
        verify("tracking", "{}", '{"boxes": [1, 2, 3, 4]}')
