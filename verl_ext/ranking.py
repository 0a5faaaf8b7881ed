"""Tie-aware ranks inside segments of a batch (prompt groups, tasks): one lexicographic sort, no loop over segments.

Axes: N rows, S segments (ascending id), K runs of ties, places = rows in sorted order (by segment id, then by value).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Hashable, Iterable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

Label = TypeVar("Label", bound=Hashable)


@dataclass(frozen=True)
class Ranked:
    """Rows sorted by (segment, value); a run is a set of neighbouring places that tie."""

    order_N: Tensor
    """Row that stands at each place."""
    segment_N: Tensor
    """Segment (0..S-1) of each row."""
    rank_N: Tensor
    """Rank of each place inside its segment, from 1, ties not yet shared."""
    run_N: Tensor
    """Run (0..K-1, counted through the whole batch) of each place."""
    run_size_K: Tensor
    """Rows in each run."""
    ids_S: Tensor
    """Id of each segment as the caller gave it."""
    size_S: Tensor
    """Rows in each segment."""
    runs_S: Tensor
    """Runs in each segment: 1 means that all its rows tie."""


def factorize(labels: Iterable[Label]) -> tuple[Tensor, list[Label]]:
    """Integer ids (N,) in order of first appearance for any hashable labels, and the label of each id."""
    rows = labels.tolist() if isinstance(labels, Tensor | np.ndarray) else list(labels)
    code: defaultdict[Label, int] = defaultdict()
    code.default_factory = code.__len__
    ids = np.fromiter(map(code.__getitem__, rows), dtype=np.int64, count=len(rows))
    return torch.from_numpy(ids), list(code)


def rank(value_N: Tensor, id_N: Tensor, *, tie_epsilon: float | Tensor) -> Ranked:
    """Sort rows by (id, value) and cut them into segments and runs of ties.

    A new run starts where the gap to the next smaller value of the segment exceeds `tie_epsilon` (one, or one per row;
    single linkage). So noise below the epsilon never splits a tie, wherever the values lie (a grid would, at its
    edges), and the order of the rows is of no account. The price: a chain of values, each within the epsilon of the
    next, is one tie however long.
    """
    n, device = value_N.numel(), value_N.device
    order = _lexsort(value_N, id_N)
    value, ids = value_N.index_select(0, order), id_N.index_select(0, order)
    first = torch.ones(n, dtype=torch.bool, device=device)
    first[1:] = ids[1:] != ids[:-1]
    new_run = first.clone()
    epsilon = tie_epsilon.index_select(0, order)[1:] if isinstance(tie_epsilon, Tensor) else tie_epsilon
    new_run[1:] |= (value[1:] - value[:-1]) > epsilon

    start_S, start_K = torch.nonzero(first).squeeze(1), torch.nonzero(new_run).squeeze(1)
    segment, run_N = torch.cumsum(first, 0) - 1, torch.cumsum(new_run, 0) - 1
    return Ranked(
        order_N=order,
        segment_N=torch.empty_like(order).scatter_(0, order, segment),
        rank_N=torch.arange(1, n + 1, device=device) - start_S.index_select(0, segment),
        run_N=run_N,
        run_size_K=_sizes(start_K, n),
        ids_S=ids[start_S],
        size_S=_sizes(start_S, n),
        runs_S=_sizes(run_N[start_S], start_K.numel()),
    )


def segment_mean(value_N: Tensor, segment_N: Tensor, size_S: Tensor) -> Tensor:
    """Mean (S,) of the values of each segment, whose sizes are known."""
    return value_N.new_zeros(size_S.numel()).index_add_(0, segment_N, value_N) / size_S


def _lexsort(value_N: Tensor, id_N: Tensor) -> Tensor:
    """Rows by id, then value; rows that agree in both stand in any order."""
    n = value_N.numel()
    order = _argsort(value_N)
    if n == 0 or (id_N == id_N[0]).all():
        return order
    key_N = dense(id_N).index_select(0, order) * n + torch.arange(n, device=id_N.device)
    return order.index_select(0, _argsort(key_N))


def dense(id_N: Tensor) -> Tensor:
    """Ids in [0, N) in the same order; those that lie there already stay."""
    if id_N.numel() == 0 or (id_N.min() >= 0 and id_N.max() < id_N.numel()):
        return id_N
    inverse_N: Tensor = torch.unique(id_N, return_inverse=True)[1]
    return inverse_N


def _argsort(key_N: Tensor) -> Tensor:
    # numpy's vectorised sort takes a tenth of the time of torch's on a CPU.
    return torch.argsort(key_N) if key_N.device.type != "cpu" else torch.from_numpy(np.argsort(key_N.numpy()))


def _sizes(start: Tensor, end: int) -> Tensor:
    return torch.diff(start, append=start.new_full((1,), end))
