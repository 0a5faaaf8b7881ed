from __future__ import annotations

import json
import math
from typing import Any

import pytest

from reward_fns.registry import TASKS, verify

IMAGE = {
    "boxes": [100, 100, 400, 400],
    "positive_points": [[200, 200], [220, 220], [240, 200]],
    "negative_points": [[50, 50], [450, 450], [120, 390]],
}
VIDEO = {"time": 3, **IMAGE}


def judge(given: dict[str, Any], truth: dict[str, Any] = IMAGE, **info: str) -> tuple[float, float]:
    verdict = verify("segmentation", json.dumps(given), json.dumps(truth), info)
    assert verdict.official is not None
    return verdict.official, verdict.reward


def test_the_truth_is_right() -> None:
    assert judge(IMAGE) == judge(VIDEO, VIDEO) == (1.0, 1.0)


def test_the_order_of_points_is_free() -> None:
    assert judge({**IMAGE, "positive_points": IMAGE["positive_points"][::-1]}) == (1.0, 1.0)


def test_one_point_three_times_does_not_pay() -> None:
    official, reward = judge({**IMAGE, "positive_points": [[220, 207]] * 3})
    assert official > 0.97
    assert reward == pytest.approx(0.75)


def test_nearly_one_point_three_times_does_not_pay_either() -> None:
    assert judge({**IMAGE, "positive_points": [[220, 207], [221, 207], [222, 207]]})[1] < 0.8


@pytest.mark.parametrize("points", [[[1, 1]] * 2, [[1, 1]] * 4, [[1, 1, 1]] * 3, [1, 2, 3], "x", None])
def test_exactly_three_points(points: Any) -> None:
    assert judge({**IMAGE, "positive_points": points}) == (0.0, 0.0)


@pytest.mark.parametrize("point", [["200", 200], [True, 200], [1001, 200], [-1, 200]])
def test_a_point_is_two_numbers_in_range(point: list[Any]) -> None:
    assert judge({**IMAGE, "positive_points": [point, [220, 220], [240, 200]]})[1] == 0.0


LATE = 0.7 + 0.3 / math.e
"""Two seconds off."""


@pytest.mark.parametrize(("time", "official", "reward"), [(3, 1, 1), (5, LATE, LATE), (True, LATE, 0)])
def test_time_of_videos(time: Any, official: float, reward: float) -> None:
    assert judge({**VIDEO, "time": time}, VIDEO) == (pytest.approx(official), pytest.approx(reward))


def test_the_kind_of_data_decides() -> None:
    assert judge(IMAGE, VIDEO, data_type="video")[1] == 0.0
    structure = TASKS["segmentation"].structure
    assert structure is not None
    found = [structure(json.dumps(given), json.dumps(VIDEO), {"data_type": "video"}) for given in (VIDEO, IMAGE)]
    assert found == [1.0, 0.0]
    with pytest.raises(ValueError, match="data_type"):
        judge(IMAGE, IMAGE, data_type="audio")
