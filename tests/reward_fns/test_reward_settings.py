from __future__ import annotations

import pytest

from reward_fns.settings import Envelope, RewardSettings


@pytest.mark.parametrize("bounds", [(5, 4, 6, 7), (-1, 0, 1, 2), (0, 1, 3, 2), (3, 3, 3, 3), (0, 1.5, 2, 3)])
def test_envelope_bounds(bounds: tuple[int, int, int, int]) -> None:
    with pytest.raises(ValueError, match="envelope"):
        Envelope(*bounds)


def test_all_problems_at_once() -> None:
    with pytest.raises(ValueError) as error:
        RewardSettings(
            format_weight=2,
            length_weight=float("nan"),
            length_gate="sometimes",
            length_scope="answer",
            length_of_truncated=1,
            thinking_tag="thought",
        )
    for name in (
        "format_weight",
        "length_weight",
        "length_gate",
        "length_scope",
        "length_of_truncated",
        "thinking_tag",
    ):
        assert name in str(error.value)


def test_weights_leave_room_for_accuracy() -> None:
    with pytest.raises(ValueError, match=r"format_weight \+ length_weight"):
        RewardSettings(format_weight=0.6, length_weight=0.6)
