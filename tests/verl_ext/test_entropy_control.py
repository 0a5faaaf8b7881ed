"""The controller alone, and on a softmax policy whose own gradient pushes it out of the band."""

from __future__ import annotations

import json
import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from verl_ext.entropy_control import DualSettings, coefficient, ramp, update

BAND = (0.2, 0.6)
DUAL = DualSettings()


def rise(entropy: float, steps: int, start: float = 0.02, settings: DualSettings = DUAL) -> list[float]:
    multipliers = None
    for _ in range(steps):
        multipliers = update(multipliers, entropy, BAND, start=start, settings=settings)
    return multipliers


def test_worked_values():
    assert rise(0.1, 1) == pytest.approx([0.02 * math.exp(0.25), 0.02])  # half of the lower edge is missing
    assert rise(0.9, 2) == pytest.approx([0.02, 0.02 * math.exp(0.5)])  # twice half of the upper edge too much
    assert rise(9.0, 1)[1] == rise(1.2, 1)[1] == pytest.approx(0.02 * math.exp(0.5))  # no more than the edge itself
    assert rise(0.0, 1)[0] == pytest.approx(0.02 * math.exp(0.5))


@given(st.floats(0.01, 5), st.floats(0.1, 1), st.floats(1, 3), st.floats(0, 3))
def test_the_distance_knows_no_scale_and_no_width(scale, low, width, entropy):
    """Trap: over the width, an entropy of 0 below a wide band near 0 would count as a small distance."""
    once = update(None, entropy, (low, low + width), start=0.02, settings=DUAL)
    scaled = update(None, entropy * scale, (low * scale, (low + width) * scale), start=0.02, settings=DUAL)
    assert scaled == pytest.approx(once)
    wide = update(None, entropy, (low, low + 2 * width), start=0.02, settings=DUAL)
    assert wide[0] == once[0]


def test_a_band_from_0_is_never_left_downwards():
    assert update(None, 0.0, (0.0, 0.6), start=0.02, settings=DUAL) == [0.02, 0.02]


def test_each_edge_has_its_own_multiplier():
    """Trap: with one for both, an explosion's large coefficient would throw the policy through the band."""
    multipliers = rise(1.0, 6)
    assert coefficient(multipliers, 1.0, BAND) > 0.1
    assert coefficient(multipliers, 0.1, BAND) == 0.02
    assert coefficient(multipliers, 0.4, BAND) == max(multipliers)


@pytest.mark.parametrize("entropy", [0.2, 0.4, 0.6])
def test_inside_the_band_and_on_its_edges_both_decay_to_the_fixed_coefficient(entropy):
    once = update([0.1, 0.3], entropy, BAND, start=0.02, settings=DUAL)
    assert once == pytest.approx([0.1 * math.exp(-0.05), 0.3 * math.exp(-0.05)])
    assert rise(entropy, 1) == rise(entropy, 500) == [0.02, 0.02]


def test_the_ceiling_holds_but_lowers_no_fixed_coefficient():
    assert rise(2.3, 100)[1] == DUAL.ceiling
    assert rise(2.3, 100, start=3.0) == rise(0.4, 100, start=3.0) == [3.0, 3.0]


@given(st.lists(st.floats(0, 5), max_size=40), st.floats(1e-6, 1))
def test_multipliers_stay_between_the_fixed_coefficient_and_the_ceiling(entropies, start):
    multipliers = None
    for entropy in entropies:
        multipliers = update(multipliers, entropy, BAND, start=start, settings=DUAL)
        assert all(start <= c <= DUAL.ceiling for c in multipliers)


def test_state_continues_bit_for_bit_through_json():
    half = json.loads(json.dumps(rise(0.13, 7)))
    for _ in range(5):
        half = update(half, 0.13, BAND, start=0.02, settings=DUAL)
    assert half == rise(0.13, 12)


@pytest.mark.parametrize(("step", "warmup", "factor"), [(1, 0, 1.0), (1, 10, 0.1), (10, 10, 1.0), (99, 10, 1.0)])
def test_ramp(step, warmup, factor):
    assert ramp(step, warmup) == factor


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"ceiling": 0.0}, "ceiling"),
        ({"ceiling": math.inf}, "ceiling"),
        ({"step": 0.0}, "step"),
        ({"decay": -0.1}, "decay"),
    ],
)
def test_settings_out_of_range_are_refused(changes, message):
    with pytest.raises(ValueError, match=message):
        DualSettings(**changes)


def simulate(start: float, push: float, *, control: bool, steps: int = 400, first: float = 0.02) -> list[float]:
    """Entropies of a softmax over 8 outcomes under Adam: a push on the entropy (as training collapses or spreads a
    policy), plus the hinge's gradient with the controlled coefficient."""
    logits = torch.zeros(8, dtype=torch.float64)
    logits[0] = 10.0
    while (entropy := _entropy(logits).item()) < start:
        logits[0] -= 0.01
    logits.requires_grad_()
    optimiser = torch.optim.Adam([logits], lr=0.02)
    multipliers, seen = None, []
    for _ in range(steps):
        entropy = _entropy(logits)
        seen.append(entropy.item())
        c = first
        if control:
            multipliers = update(multipliers, entropy.item(), BAND, start=first, settings=DUAL)
            c = coefficient(multipliers, entropy.item(), BAND)
        side = (entropy.item() > BAND[1]) - (entropy.item() < BAND[0])
        optimiser.zero_grad()
        (-push * entropy + c * side * entropy).backward()
        optimiser.step()
    return seen


def _entropy(logits: torch.Tensor) -> torch.Tensor:
    log_p = logits.log_softmax(-1)
    return -(log_p.exp() * log_p).sum()


@pytest.mark.parametrize(
    ("start", "push", "why"),
    [
        (0.05, -0.1, "collapsed and pushed down"),
        (1.5, 0.1, "exploded and pushed up"),
        (0.4, -0.1, "inside, pushed down"),
    ],
)
def test_the_controller_holds_a_softmax_policy_at_its_band_where_the_fixed_coefficient_does_not(start, push, why):
    held, lost = simulate(start, push, control=True)[-150:], simulate(start, push, control=False)[-150:]
    assert min(held) > BAND[0] - 0.05 and max(held) < BAND[1] + 0.05, why
    assert max(lost) < BAND[0] / 2 or min(lost) > 2 * BAND[1], why
