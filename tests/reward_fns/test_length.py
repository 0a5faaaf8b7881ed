from __future__ import annotations

import pytest

from reward_fns.length import envelope_value
from reward_fns.settings import Envelope


@pytest.mark.parametrize(
    ("tokens", "value"),
    [(0, 0), (10, 0), (15, 0.5), (20, 1), (25, 1), (30, 1), (40, 0.5), (50, 0), (51, 0)],
)
def test_trapezoid(tokens: int, value: float) -> None:
    assert envelope_value(tokens, Envelope(10, 20, 30, 50)) == value


@pytest.mark.parametrize(("tokens", "value"), [(0, 1), (8, 1), (12, 0.5), (16, 0)])
def test_the_peak_may_start_at_zero(tokens: int, value: float) -> None:
    assert envelope_value(tokens, Envelope(0, 0, 8, 16)) == value
