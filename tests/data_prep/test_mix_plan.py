from __future__ import annotations

import pytest

from data_prep.mix_plan import apportion, largest_total, source_shares, stratum_shares


@pytest.mark.parametrize(
    ("temperature", "expected"),
    [(1, [0.1, 0.9]), (2, [0.25, 0.75]), (1e9, [0.5, 0.5]), (0.5, [1 / 82, 81 / 82]), (1e-3, [0.0, 1.0])],
)
def test_temperature(temperature, expected):
    shares = source_shares({"a": 10, "b": 90}, temperature)
    assert list(shares.values()) == pytest.approx(expected)


@pytest.mark.parametrize(("weights", "temperature"), [({"a": 0.0}, 1), ({"a": -1}, 1), ({"a": 1}, 0), ({"a": 1}, -2)])
def test_weights_and_temperature_must_be_positive(weights, temperature):
    with pytest.raises(ValueError, match="must be above 0"):
        source_shares(weights, temperature)


def test_balance_makes_the_keys_equal_and_keeps_the_sources_proportions_inside():
    rows = {("a", "x"): 90, ("a", "y"): 10, ("b", "y"): 50}
    shares = {"a": 0.5, "b": 0.5}
    assert stratum_shares(rows, shares, balanced=False) == pytest.approx(
        dict(zip(rows, [0.45, 0.05, 0.5], strict=True))
    )
    balanced = stratum_shares(rows, shares, balanced=True)
    assert balanced == pytest.approx(dict(zip(rows, [0.5, 0.5 / 11, 5 / 11], strict=True)))


@pytest.mark.parametrize(
    ("shares", "total", "expected"),
    [
        ([0.5, 0.5], 3, [2, 1]),
        ([1 / 3, 1 / 3, 1 / 3], 3, [1, 1, 1]),
        ([0.1, 0.2, 0.7], 10, [1, 2, 7]),
        ([0.25, 0.75], 0, [0, 0]),
        ([0.001, 0.999], 10, [0, 10]),
    ],
)
def test_apportion(shares, total, expected):
    assert apportion(shares, total) == expected


@pytest.mark.parametrize(
    ("shares", "rows", "expected"),
    [([0.5, 0.5], [10, 4], 9), ([0.9, 0.1], [9, 9], 10), ([1.0], [7], 7), ([0.5, 0.5], [0, 5], 0)],
)
def test_largest_total(shares, rows, expected):
    total = largest_total(shares, rows)
    assert all(part <= there for part, there in zip(apportion(shares, total), rows, strict=True))
    assert any(part > there for part, there in zip(apportion(shares, total + 1), rows, strict=True))
    assert total == expected
