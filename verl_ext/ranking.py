"""Tie-aware ranks inside segments of a batch (prompt groups, tasks): one lexicographic sort, no loop over segments.

Axes: N rows, S segments (ascending id), places = rows in sorted order (by segment id, then by value).
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor


@dataclass(frozen=True)
class Ranked:
    """Rows sorted by (segment, value); a run is a set of neighbouring places that tie."""

    order_N: Tensor
    """Row that stands at each place."""
    segment_N: Tensor
    """Segment (0..S-1) of each row."""
    run_N: Tensor
    """Run of each place, counted through the whole batch."""
    rank_N: Tensor
    """Rank of each place inside its segment, from 1, ties not yet shared."""
    ids_S: Tensor
    """Id of each segment as the caller gave it."""
    size_S: Tensor
    """Rows in each segment."""
    runs_S: Tensor
    """Runs in each segment: 1 means that all its rows tie."""


def factorize(labels: Iterable[Hashable]) -> tuple[Tensor, list[Hashable]]:
    """Integer ids (N,) in order of first appearance for any hashable labels, and the label of each id."""
    rows = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    names = list(dict.fromkeys(rows))
    code = {name: i for i, name in enumerate(names)}
    ids = np.fromiter(map(code.__getitem__, rows), dtype=np.int64, count=len(rows))
    return torch.from_numpy(ids), names


def rank(value_N: Tensor, id_N: Tensor, *, tie_epsilon: float) -> Ranked:
    """Sort rows by (id, value) and cut them into segments and runs of ties.

    A new run starts where the gap to the next smaller value of the segment exceeds `tie_epsilon` (single linkage). So
    noise below the epsilon never splits a tie, wherever the values lie (a grid would, at its edges), and the order of
    the rows is of no account. The price: a chain of values, each within the epsilon of the next, is one tie however
    long.
    """
    n, device = value_N.numel(), value_N.device
    order = torch.argsort(value_N)
    order = order[torch.argsort(id_N[order], stable=True)]
    value, ids = value_N[order], id_N[order]

    first = torch.ones(n, dtype=torch.bool, device=device)
    first[1:] = ids[1:] != ids[:-1]
    new_run = first.clone()
    new_run[1:] |= (value[1:] - value[:-1]) > tie_epsilon

    start_S = torch.nonzero(first).squeeze(1)
    place_segment = torch.cumsum(first, 0) - 1
    place = torch.arange(n, device=device)
    segment_N = torch.empty_like(order)
    segment_N[order] = place_segment
    return Ranked(
        order_N=order,
        segment_N=segment_N,
        run_N=torch.cumsum(new_run, 0) - 1,
        rank_N=place - start_S[place_segment] + 1,
        ids_S=ids[start_S],
        size_S=torch.bincount(place_segment, minlength=start_S.numel()),
        runs_S=torch.bincount(place_segment[new_run], minlength=start_S.numel()),
    )


def gaussian_scores(ranked: Ranked) -> Tensor:
    """Scores (N,), float64: `Phi^-1((k - 0.5) / n)` for rank k of a segment of n rows; ties share the mean of
    theirs."""
    size_N = ranked.size_S[ranked.segment_N[ranked.order_N]].double()
    quantile_N = torch.special.ndtri((ranked.rank_N.double() - 0.5) / size_N)
    score_N = torch.empty_like(quantile_N)
    score_N[ranked.order_N] = segment_mean(quantile_N, ranked.run_N, int(ranked.runs_S.sum()))[ranked.run_N]
    return score_N


def segment_mean(value_N: Tensor, segment_N: Tensor, segments: int) -> Tensor:
    """Mean of the values of each segment (S,); 0 for a segment without rows."""
    count_S = torch.bincount(segment_N, minlength=segments)
    return value_N.new_zeros(segments).index_add_(0, segment_N, value_N) / count_S.clamp_min(1)
