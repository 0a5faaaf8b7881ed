from __future__ import annotations

import json

import numpy as np
import pytest
from pycocotools import mask as coco

from reward_fns.point import Mask
from reward_fns.registry import verify


def encode(pixels: np.ndarray) -> str:
    found = coco.encode(np.asfortranarray(pixels.astype(np.uint8)))
    return json.dumps({"size": [int(side) for side in found["size"]], "counts": found["counts"].decode()})


PIXELS = np.zeros((100, 200), bool)
PIXELS[40:60, 80:120] = True
TRUTH = encode(PIXELS)


@pytest.mark.parametrize(
    ("answer", "official", "reward", "why"),
    [
        ('{"point_2d": [500, 500]}', 1, 1, "inside"),
        ('{"point_2d": [400, 400]}', 1, 1, "the first pixel"),
        ('{"point_2d": [399.9, 400]}', 0, pytest.approx(0.3, abs=0.01), "just outside"),
        ('{"point_2d": [0, 0]}', 0, pytest.approx(0, abs=0.01), "far away"),
        ('{"point_2d": [1000, 1000]}', 0, pytest.approx(0, abs=0.01), "the far corner lies outside the image"),
        ('{"point_2d": [1001, 500]}', 0, 0, "out of range"),
        ('{"point_2d": [[500, 500], [1, 1]]}', 0, 0, "several points"),
        ('{"point_2d": [500, 500, 500]}', 0, 0, "three numbers"),
        ('[{"point_2d": [500, 500]}]', 0, 0, "a list"),
        ('{"point_2d": ["500", 500]}', 0, 0, "text"),
        ('{"point_2d": [true, 500]}', 0, 0, "bool"),
        ("(500, 500)", 0, 0, "no JSON"),
    ],
)
def test_point(answer: str, official: float, reward: object, why: str) -> None:
    verdict = verify("point_to", answer, TRUTH)
    assert verdict.official == official, why
    assert verdict.reward == reward, why


def test_nearer_is_better_and_never_half() -> None:
    rewards = [verify("point_to", json.dumps({"point_2d": [x, 500]}), TRUTH).reward for x in range(0, 400, 10)]
    assert rewards == sorted(rewards)
    assert max(rewards) < 0.5


def test_distance_to_a_mask_with_a_hole() -> None:
    pixels = np.zeros((20, 20), bool)
    pixels[5:15, 5:15] = True
    pixels[9:11, 9:11] = False
    mask = Mask(pixels)
    every = np.argwhere(pixels) + 0.5
    for x, y in [(9.5, 9.5), (0.5, 0.5), (19, 3)]:
        assert mask.distance(x, y) == pytest.approx(np.hypot(every[:, 1] - x, every[:, 0] - y).min(), abs=1e-5)


def test_uncompressed_counts() -> None:
    truth = {"size": [2, 2], "counts": [0, 2, 2]}
    assert verify("point_to", '{"point_2d": [100, 100]}', truth).official == 1.0
    assert verify("point_to", '{"point_2d": [900, 100]}', truth).official == 0.0


@pytest.mark.parametrize("truth", ["[1, 2]", '{"size": [2, 2]}', {"size": [2, 2], "counts": [4]}])
def test_a_truth_that_is_no_mask_is_an_error(truth: object) -> None:
    with pytest.raises(ValueError):
        verify("point_to", '{"point_2d": [1, 1]}', truth)
