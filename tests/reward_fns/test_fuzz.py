"""A short run of what `python tests/reward_fns/fuzz.py CALLS` does at length."""

from __future__ import annotations

from collections import Counter

import pytest
from fuzz import attack, warm_up
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rows import ROWS

TEXTS = st.one_of(
    st.text(max_size=80),
    st.text(alphabet="0123456789.,-+eE%$()[]{} ", max_size=60),
    st.text(alphabet='{}[]",:0123456789truefalsnboxesti_2dpm ', max_size=80),
)


@pytest.fixture(autouse=True, scope="module")
def _warm() -> None:
    warm_up()


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(TEXTS, st.sampled_from(ROWS))
def test_any_text(answer: str, row: object) -> None:
    attack([(row, answer)], deadline=10.0)  # type: ignore[list-item]


def test_nasty_texts() -> None:
    seen: Counter[str] = Counter()
    attack(None, deadline=10.0, calls=600, seen=seen)
    assert sum(seen.values()) == 600
