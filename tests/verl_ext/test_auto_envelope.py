from __future__ import annotations

import dataclasses
import itertools
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from reward_fns.length import envelope_value
from reward_fns.settings import Envelope
from verl_ext.auto_envelope import AutoEnvelopeSettings, envelope_of, observe, target

STATIC = Envelope(10, 50, 150, 400)
QUICK = AutoEnvelopeSettings(window=50, warmup=10, rate=1.0)


def bounds(envelope: Envelope) -> list[int]:
    return list(dataclasses.astuple(envelope))


def after(batches, settings=QUICK, static=STATIC):
    state = {}
    for lengths in batches:
        state = observe(state, {"a": lengths}, {"a": static}, settings)
    return state


def test_targets_are_the_quantiles_of_the_correct_lengths():
    got = target(list(range(101, 301)), Envelope(0, 1, 2, 1000), QUICK)
    assert got == pytest.approx([100.25, 150.375, 250.625, 300.75])  # margins reach further than 10, 25, 75, 95 % here
    wide = target([*range(10, 410)], Envelope(0, 1, 2, 1000), QUICK)
    assert wide == pytest.approx([49.9, 109.75, 309.25, 389.05])


def test_until_the_warm_up_is_over_the_static_envelope_holds():
    assert envelope_of(after([[200] * 9]), "a", STATIC) == STATIC
    assert envelope_of(after([[200] * 9, [200]]), "a", STATIC) == Envelope(100, 150, 250, 300)
    assert envelope_of({}, "a", STATIC) == STATIC


def test_a_bound_moves_by_at_most_its_rate():
    slow = dataclasses.replace(QUICK, rate=0.1)
    state = after([[200] * 10], slow)
    assert bounds(envelope_of(state, "a", STATIC)) == [10 + 39, 50 + 39, 150 + 39, 400 - 39]
    assert bounds(envelope_of(after([[200] * 10] * 9, slow), "a", STATIC)) == [100, 150, 250, 300]


@pytest.mark.parametrize(
    ("length", "expected"),
    [(1000, [200, 300, 400, 400]), (400, [200, 300, 400, 400]), (0, [10, 10, 13, 15])],
)
def test_lengths_outside_the_static_limits_draw_the_envelope_to_the_limit_and_leave_it_width(length, expected):
    assert bounds(envelope_of(after([[length] * 10]), "a", STATIC)) == expected


def test_equal_lengths_keep_a_plateau():
    envelope = envelope_of(after([[100] * 50]), "a", STATIC)
    assert bounds(envelope) == [50, 75, 125, 150]
    assert envelope_value(80, envelope) == 1.0


def test_paying_for_the_middle_of_the_lengths_does_not_close_the_envelope():
    """Trap: quantiles of what the envelope itself selects would narrow without end."""
    generator, state, centre, spread = np.random.default_rng(0), {}, 100.0, 40.0
    for _ in range(60):
        lengths = np.clip(generator.normal(centre, spread, 40), 1, 399).astype(int)
        envelope = envelope_of(state, "a", STATIC)
        paid = [int(n) for n in lengths if envelope_value(n, envelope) > 0.5] or [int(centre)]
        centre, spread = float(np.mean(paid)), max(float(np.std(paid)), 1.0)
        state = observe(state, {"a": paid}, {"a": STATIC}, QUICK)
    last = envelope_of(state, "a", STATIC)
    assert last.peak_end - last.peak_start >= 0.45 * centre


def test_old_lengths_leave_the_window():
    assert envelope_of(after([[60] * 50, [200] * 50]), "a", STATIC) == Envelope(100, 150, 250, 300)


def test_state_continues_bit_for_bit_through_json():
    generator = np.random.default_rng(1)
    batches = [generator.integers(20, 300, 7).tolist() for _ in range(12)]
    settings = dataclasses.replace(QUICK, rate=0.013)
    half = json.loads(json.dumps(after(batches[:6], settings)))
    for lengths in batches[6:]:
        half = observe(half, {"a": lengths}, {"a": STATIC}, settings)
    assert half == after(batches, settings)


def test_observing_leaves_the_state_as_it_is_and_other_tasks_alone():
    state = after([[100] * 10])
    copy = json.loads(json.dumps(state))
    later = observe(state, {"b": [5] * 10, "c": [5]}, {"b": STATIC}, QUICK)
    assert state == copy
    assert later["a"] == state["a"]
    assert "c" not in later


def test_limits_that_changed_since_the_checkpoint_hold_at_once():
    state = after([[300] * 10])
    narrow = Envelope(0, 10, 20, 40)
    assert envelope_of(state, "a", narrow) == narrow  # nothing of the old envelope lies in the new limits
    assert bounds(envelope_of(state, "a", Envelope(0, 10, 20, 300))) == [150, 225, 300, 300]


@hypothesis_settings(deadline=None, max_examples=200)
@given(
    st.lists(st.lists(st.integers(0, 500), max_size=12), max_size=8),
    st.lists(st.integers(0, 300), min_size=4, max_size=4).map(sorted).filter(lambda b: b[0] < b[3]),
    st.floats(0.001, 1.0),
)
def test_every_envelope_is_valid_and_lies_inside_the_static_one(batches, static, rate):
    static = Envelope(*static)
    settings = AutoEnvelopeSettings(window=20, warmup=3, rate=rate)
    state, before = {}, bounds(static)
    for lengths in batches:
        state = observe(state, {"a": lengths}, {"a": static}, settings)
        got = bounds(envelope_of(state, "a", static))  # Envelope checks the order and the width
        assert static.min_start <= got[0] and got[3] <= static.max_end
        most = rate * (static.max_end - static.min_start) + 1  # a token of rounding
        assert all(abs(new - old) <= most for new, old in zip(got, before, strict=True))
        assert all(low <= high for low, high in itertools.pairwise(got))
        before = got


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"quantiles": (0.5, 0.4, 0.6, 0.7)}, "ascending"),
        ({"quantiles": (0.1, 0.2, 0.3)}, "four"),
        ({"margin": 0.0}, "margin"),
        ({"rate": 0.0}, "rate"),
        ({"warmup": 51, "window": 50}, "never leaves"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        AutoEnvelopeSettings(**changes)
