"""How many rows of what go into a mixture: shares, their temperature, balance, whole numbers of rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

Stratum = tuple[str, str]
"""(source, category or task; "" without balance)"""


def source_shares(weights: Mapping[str, float], temperature: float) -> dict[str, float]:
    """p_i = w_i^(1/T) / sum_j w_j^(1/T): T = 1 keeps the weights, T → ∞ makes them equal. They sum to 1."""
    if temperature <= 0:
        raise ValueError(f"temperature is {temperature:g}; it must be above 0")
    for name, weight in weights.items():
        if weight <= 0:
            raise ValueError(f"the weight of source {name} is {weight:g}; it must be above 0")
    top = max(weights.values())
    # Relative to the largest weight: a small T would overflow otherwise.
    raised = {name: (weight / top) ** (1 / temperature) for name, weight in weights.items()}
    total = sum(raised.values())
    return {name: value / total for name, value in raised.items()}


def stratum_shares(rows: Mapping[Stratum, int], shares: Mapping[str, float], *, balanced: bool) -> dict[Stratum, float]:
    """The share of each stratum: that of its source, divided by the rows of its strata; they sum to 1.

    `balanced`: the keys (categories, tasks) then get equal shares, the sources inside a key keep their proportions.
    """
    sizes: dict[str, int] = {}
    for (source, _), count in rows.items():
        sizes[source] = sizes.get(source, 0) + count
    natural = {each: shares[each[0]] * count / sizes[each[0]] for each, count in rows.items()}
    if not balanced:
        return natural
    keys: dict[str, float] = {}
    for (_, key), share in natural.items():
        keys[key] = keys.get(key, 0.0) + share
    return {each: share / keys[each[1]] / len(keys) for each, share in natural.items()}


def apportion(shares: Sequence[float], total: int) -> list[int]:
    """`total` in whole numbers by shares that sum to 1 (largest remainders; the earlier of equal ones)."""
    exact = [share * total for share in shares]
    whole = [int(value + 1e-9) for value in exact]
    order = sorted(range(len(exact)), key=lambda at: (round(whole[at] - exact[at], 9), at))
    for at in order[: total - sum(whole)]:
        whole[at] += 1
    return whole


def largest_total(shares: Sequence[float], rows: Sequence[int]) -> int:
    """The largest total whose parts do not exceed `rows`."""
    total = min(sum(rows), *(int(count / share) + 1 for count, share in zip(rows, shares, strict=True)))
    while any(part > count for part, count in zip(apportion(shares, total), rows, strict=True)):
        total -= 1
    return total
