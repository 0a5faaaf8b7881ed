from __future__ import annotations

import pytest

from reward_fns.registry import verify

TRUTH = "[100.5, 200.0, 300.25, 400.0]"
PIXELS = {"width": 640, "height": 480, "box_format": "pixels"}


@pytest.mark.parametrize(
    ("answer", "info", "official", "hit", "why"),
    [
        ('{"boxes": [100.5, 200, 300.25, 400]}', {}, 1, True, "exact"),
        ('{"boxes": [100, 200, 300, 400]}', {}, 1, True, "rounded"),
        ('{"boxes": [300, 400, 100, 200]}', {}, 0, False, "reversed corners are not swapped"),
        ('{"boxes": ["100", "200", "300", "400"]}', {}, 1, False, "texts pass in the source"),
        ('{"boxes": [1, 2, 3, 4], "boxes": [100, 200, 300, 400]}', {}, 1, False, "the last duplicate wins there"),
        ('```json\n{"boxes": [100, 200, 300, 400]}\n```', {}, 0, True, "no fence is stripped there"),
        ('{"bbox_2d": [100, 200, 300, 400]}', {}, 0, False, "another key"),
        ("[100, 200, 300, 400]", {}, 0, False, "no object"),
        ('{"boxes": [0, 0, 1000, 1000]}', {}, 0, False, "a giant box"),
        ('{"boxes": [64, 96, 192, 192]}', PIXELS, 1, True, "pixels of a 640 x 480 image"),
        ('{"boxes": [100, 200, 300, 400]}', PIXELS, 0, False, "the convention is never guessed"),
        ('{"boxes": [0.1, 0.2, 0.3, 0.4]}', {"box_format": "unit"}, 1, True, "fractions"),
        ('{"boxes": [0.1, 0.2, 0.3, 0.4]}', {}, 0, False, "fractions are not guessed either"),
        ('{"boxes": [0, 0, 700, 100]}', PIXELS, 0, False, "beyond the image"),
    ],
)
def test_refcoco(answer: str, info: dict, official: float, hit: bool, why: str) -> None:
    verdict = verify("refcoco", answer, TRUTH, info)
    assert verdict.official == official, why
    assert (verdict.reward > 0.9) is hit, why


def test_formats_are_checked() -> None:
    with pytest.raises(ValueError, match="box_format"):
        verify("refcoco", "{}", TRUTH, {"box_format": "xywh"})
    with pytest.raises(ValueError, match="width and height"):
        verify("refcoco", "{}", TRUTH, {"box_format": "pixels"})
