from __future__ import annotations

import numpy as np
import pytest
from pycocotools import mask as coco

from reward_fns.registry import verify

PIXELS = np.zeros((100, 200), np.uint8)
PIXELS[40:60, 80:120] = 1
_CODE = coco.encode(np.asfortranarray(PIXELS))
TRUTH = {"size": [100, 200], "counts": _CODE["counts"].decode()}


@pytest.mark.parametrize(
    ("answer", "official", "inside", "why"),
    [
        ("[(0.5, 0.5)]", 1, True, "the form that the prompt asks for"),
        ("(0.5,0.5)", 1, True, "one tuple"),
        ("[0.5, 0.5]", 0, True, "square brackets are not read by the source"),
        ("( 0.5, 0.5)", 0, True, "nor is a leading space"),
        ("(.5, .5)", 0, True, "nor a number without its first digit"),
        ("(100, 50)", 1, None, "two integers are pixels to the source"),
        ("(0.5, 0.5), (0.1, 0.1)", 0.5, None, "mean over points"),
        ("(0.4, 0.4, 0.6, 0.6)", 1, None, "four numbers are all pixels of a box"),
        ("(0.0, 0.0, 1.0, 1.0)", 0.04, None, "the box of everything"),
        ("(0.6, 0.6, 0.4, 0.4)", 0, None, "reversed corners make the source fail"),
        ("(1.5, 0.5)", 0, None, "outside the image"),
        ("somewhere", 0, None, "no point"),
        ("(" + "9" * 5000 + ", 1)", 0, None, "huge integers"),
    ],
)
def test_unit(answer: str, official: float, inside: bool | None, why: str) -> None:
    verdict = verify("refspatial", answer, TRUTH, {"point_format": "unit"})
    assert verdict.official == pytest.approx(official), why
    assert verdict.reward == (1.0 if inside else 0.0), why


@pytest.mark.parametrize(
    "answer", ['{"point_2d": [500, 500]}', "(500, 500)", '[{"point_2d": [500, 500], "label": ""}]']
)
def test_relative(answer: str) -> None:
    verdict = verify("refspatial", answer, TRUTH, {"point_format": "relative_1000"})
    assert (verdict.official, verdict.reward) == (1.0, 1.0)


def test_a_format_is_never_guessed() -> None:
    assert verify("refspatial", "(0.5, 0.5)", TRUTH, {"point_format": "relative_1000"}).reward < 0.3
    with pytest.raises(ValueError, match="point_format"):
        verify("refspatial", "(0.5, 0.5)", TRUTH, {"point_format": "pixels"})


def test_grids_and_repetition_earn_nothing() -> None:
    grid = ", ".join(f"({x / 10}, {y / 10})" for x in range(10) for y in range(10))
    verdict = verify("refspatial", f"[{grid}]", TRUTH, {})
    assert verdict.reward == 0.0
    assert verdict.official < 0.1
    assert verify("refspatial", "[(0.5, 0.5), (0.5, 0.5)]", TRUTH, {}).reward == 0.0


def test_nearer_is_better() -> None:
    rewards = [verify("refspatial", f"({x / 100}, 0.5)", TRUTH, {}).reward for x in range(41)]
    assert rewards == sorted(rewards)
    assert rewards[39] < 0.31
