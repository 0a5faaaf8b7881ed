"""Which rows go where: held-out and training rows, drawn by a seed, no image in both."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from data_prep.digests import digest
from data_prep.mix_plan import Stratum, apportion, largest_total, source_shares, stratum_shares
from data_prep.mix_sources import Candidate, Source


@dataclass(frozen=True)
class Recipe:
    """How a mixture is drawn."""

    seed: int = 0
    rows: int | None = None
    """Training rows; None: as many as there are without repeating a row or leaving the shares."""
    held_out: int = 0
    temperature: float = 1.0
    """See `mix_plan.source_shares`."""
    balance: str | None = None
    """category or task: each gets as many rows."""
    repeat: bool = False
    """Draw rows again where a source is too small."""


@dataclass(frozen=True, slots=True)
class Pick:
    """A row of the mixture."""

    row: Candidate
    copy: int = 0
    """0 the first time that the row is drawn"""
    index: int = 0
    """its `extra_info.index` in the mixture: copies get new ones, so that data_source and index stay unique"""


@dataclass(frozen=True)
class Drawn:
    """The mixture in its order."""

    train: list[Pick]
    held_out: list[Pick]
    shares: dict[str, float]
    """per source, as asked for"""
    shadowed: int
    """rows that stay out of training because they share an image, video or prompt with a held-out row"""


def draw(rows: Sequence[Candidate], sources: Sequence[Source], recipe: Recipe) -> Drawn:
    """Draw by `recipe`, the same for the same rows and seed. ValueError, with numbers, where a source is too small."""
    strata: dict[Stratum, list[Candidate]] = defaultdict(list)
    for row in sorted(rows, key=lambda row: _rank(recipe.seed, "draw", row)):
        strata[row.source, getattr(row, recipe.balance) if recipe.balance else ""].append(row)
    strata = dict(sorted(strata.items()))
    if empty := [source.name for source in sources if source.name not in {name for name, _ in strata}]:
        raise ValueError(f"source {empty[0]} has no row that may be drawn")
    weights = _weights(strata, sources)
    shares = source_shares(weights, recipe.temperature)
    parts = stratum_shares({each: len(found) for each, found in strata.items()}, shares, balanced=bool(recipe.balance))
    held_out: list[Candidate] = []
    for (each, found), wanted in zip(strata.items(), apportion(list(parts.values()), recipe.held_out), strict=True):
        _enough(each, wanted, len(found), "held-out rows", "lower --held-out")
        held_out += found[:wanted]
    kept_apart = {content for row in held_out for content in row.contents}
    left = {each: [row for row in found if kept_apart.isdisjoint(row.contents)] for each, found in strata.items()}
    ends: dict[str, int] = defaultdict(int)
    for row in rows:
        ends[row.data_source] = max(ends[row.data_source], row.index + 1)
    train = _training(left, parts, ends, sources, recipe)
    shadowed = len(rows) - len(held_out) - sum(map(len, left.values()))
    picks = [Pick(row, 0, row.index) for row in held_out]
    return Drawn(_shuffled(train, recipe.seed), _shuffled(picks, recipe.seed), shares, shadowed)


def _weights(strata: Mapping[Stratum, Sequence[Candidate]], sources: Sequence[Source]) -> dict[str, float]:
    """As given, else the numbers of rows: those asked for, or those that there are."""
    sizes: dict[str, float] = defaultdict(float)
    for (name, _), found in strata.items():
        sizes[name] += len(found)
    given = {source.name: source.rows if source.weight is None else source.weight for source in sources}
    return {name: sizes[name] if weight is None else weight for name, weight in given.items()}


def _training(
    left: Mapping[Stratum, Sequence[Candidate]],
    parts: Mapping[Stratum, float],
    ends: Mapping[str, int],
    sources: Sequence[Source],
    recipe: Recipe,
) -> list[Pick]:
    """`ends`: per data source the first index that is free, held-out rows included; copies go on from there."""
    available = [len(left[each]) for each in parts]
    if sources[0].rows is not None:
        wanted = {(source.name, ""): source.rows or 0 for source in sources}
        numbers = [wanted[each] for each in parts]
    elif recipe.rows is not None:
        numbers = apportion(list(parts.values()), recipe.rows)
    elif sources[0].weight is None and recipe.temperature == 1 and not recipe.balance:
        numbers = available
    else:
        numbers = apportion(list(parts.values()), largest_total(list(parts.values()), available))
    if not sum(numbers):
        raise ValueError("no row is left for training: lower --held-out")
    picks = []
    for each, number in zip(parts, numbers, strict=True):
        found = left[each]
        if not recipe.repeat or not found:
            _enough(each, number, len(found), "training rows", "lower --rows or its weight, or allow --repeat")
        for at in range(number):
            row, copy = found[at % len(found)], at // len(found)
            picks.append(Pick(row, copy, row.index + copy * ends[row.data_source]))
    return picks


def _enough(stratum: Stratum, wanted: int, there: int, what: str, remedy: str) -> None:
    if wanted > there:
        name = f"source {stratum[0]}" + (f", {stratum[1]}" if stratum[1] else "")
        raise ValueError(f"{name}: the mixture takes {wanted} {what}, there are {there} to draw from; {remedy}")


def _shuffled(picks: Sequence[Pick], seed: int) -> list[Pick]:
    return sorted(picks, key=lambda pick: _rank(seed, f"order {pick.copy}", pick.row))


def _rank(seed: int, purpose: str, row: Candidate) -> tuple[int, str, int]:
    """A random order that depends on nothing but the seed and what the row is called."""
    return digest(f"{seed} {purpose} {row.data_source}/{row.index}".encode()), row.data_source, row.index
