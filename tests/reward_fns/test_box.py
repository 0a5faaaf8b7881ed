from __future__ import annotations

import json

import pytest

from reward_fns.box import iou
from reward_fns.registry import verify

TRUTH = "[100, 200, 300, 400]"


@pytest.mark.parametrize(
    ("answer", "official", "reward", "why"),
    [
        ('{"boxes": [100, 200, 300, 400]}', 1, 1, "exact"),
        ('```json\n{"boxes": [100, 200, 300, 400]}\n```', 1, 1, "one fence is taken off"),
        ('{"boxes": [100, 200, 300, 300]}', 1, 0.6, "IoU 0.5 is a hit"),
        ('{"boxes": [100, 200, 300, 299]}', 0, 0.8 * 0.495, "just below"),
        ('{"boxes": [0, 0, 1000, 1000]}', 0, 0.8 * 0.04, "a giant box"),
        ('{"boxes": [300, 400, 100, 200]}', 0, 0, "reversed corners are not swapped"),
        ('{"boxes": [100, 200, 100, 400]}', 0, 0, "no area"),
        ('{"boxes": [-1, 200, 300, 400]}', 0, 0, "out of range"),
        ('{"boxes": [100, 200, 300, 1001]}', 0, 0, "out of range"),
        ('{"boxes": [0.1, 0.2, 0.3, 0.4]}', 0, 0, "unit coordinates are not guessed"),
        ('{"boxes": ["100", "200", "300", "400"]}', 0, 0, "texts"),
        ('{"boxes": [true, 200, 300, 400]}', 0, 0, "bool"),
        ('{"boxes": [[100, 200, 300, 400]]}', 0, 0, "a list of boxes"),
        ('{"boxes": [100, 200, 300, 400], "boxes": [1, 2, 3, 4]}', 0, 0, "duplicate keys"),
        ('{"boxes": [100, 200, 300, 400, 500]}', 0, 0, "five numbers"),
        ('{"bbox": [100, 200, 300, 400]}', 0, 0, "another key"),
        ('{"boxes": [100, 200, 300, 400], "more": 1}', 0, 0, "a further key"),
        ("{'boxes': [100, 200, 300, 400]}", 0, 0, "single quotes"),
        ("[100, 200, 300, 400]", 0, 0, "no object"),
        ('{"boxes": [NaN, 200, 300, 400]}', 0, 0, "NaN"),
        ('{"boxes": null}', 0, 0, "null"),
        ("", 0, 0, "nothing"),
    ],
)
def test_box(answer: str, official: float, reward: float, why: str) -> None:
    verdict = verify("shape_box", answer, TRUTH)
    assert verdict.official == official, why
    assert verdict.reward == pytest.approx(reward), why


def test_reward_rises_with_the_overlap() -> None:
    rewards = [
        verify("shape_box", json.dumps({"boxes": [100 + s, 200, 300 + s, 400]}), TRUTH).reward for s in range(200)
    ]
    assert rewards == sorted(rewards, reverse=True)


def test_iou_is_symmetric_and_bounded() -> None:
    left, right = (0, 0, 10, 10), (5, 5, 15, 15)
    assert iou(left, right) == iou(right, left) == 25 / 175
    assert iou(left, left) == 1.0
    assert iou(left, (10, 0, 20, 10)) == 0.0


@pytest.mark.parametrize("truth", ["[1, 2, 3]", "[5, 5, 1, 9]", '{"box": []}', [1, 2, 3, "4"]])
def test_a_truth_that_is_no_box_is_an_error(truth: object) -> None:
    with pytest.raises(ValueError, match="ground_truth"):
        verify("shape_box", "{}", truth)
