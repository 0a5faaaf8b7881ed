"""The stages of the estimator family: advantage = task_map(group_map(quantise(reward))).

Every map takes rows sorted into segments (`ranking.Ranked`: prompt groups or tasks) and gives each row a score,
float64.

Axes: N rows, S segments.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from verl_ext.ranking import Ranked, segment_mean

# Plotting position -> a in p = (k - a) / (n + 1 - 2a), the probability that stands for rank k of n.
PLOTTING_POSITIONS = {"hazen": 0.5, "blom": 3 / 8, "tukey": 1 / 3, "van_der_waerden": 0.0}
# What verl's GRPO adds to a standard deviation before it divides.
STD_EPSILON = 1e-6

Map = Callable[[Tensor, Ranked, float], Tensor]


def quantise(value_N: Tensor, ranked: Ranked) -> Tensor:
    """Values with every run of ties replaced by its mean."""
    return _share_runs(value_N.index_select(0, ranked.order_N), ranked)


def gaussian(_value_N: Tensor, ranked: Ranked, offset: float) -> Tensor:
    """`Phi^-1((k - a) / (n + 1 - 2a))` for rank k of n, with a = `offset`; ties share the mean of theirs."""
    size_N = torch.repeat_interleave(ranked.size_S, ranked.size_S).double()
    return _share_runs(torch.special.ndtri((ranked.rank_N.double() - offset) / (size_N + 1 - 2 * offset)), ranked)


def centre(value_N: Tensor, ranked: Ranked, _offset: float) -> Tensor:
    """`r - mean`: Dr.GRPO (arXiv 2503.20783)."""
    value_N = quantise(value_N, ranked)
    return value_N - over_segments(value_N, ranked)


def zscore(value_N: Tensor, ranked: Ranked, offset: float) -> Tensor:
    """`(r - mean) / (std + 1e-6)` with the population standard deviation, as in the paper's comparison."""
    centred_N = centre(value_N, ranked, offset)
    return centred_N / (segment_std(centred_N, ranked) + STD_EPSILON)


def zscore_sample(value_N: Tensor, ranked: Ranked, offset: float) -> Tensor:
    """`(r - mean) / (std + 1e-6)` with the sample standard deviation (n - 1): verl's `grpo`."""
    centred_N = centre(value_N, ranked, offset)
    size_N = ranked.size_S.index_select(0, ranked.segment_N).double()
    bessel_N = torch.sqrt(size_N / (size_N - 1).clamp_min(1))
    return centred_N / (segment_std(centred_N, ranked) * bessel_N + STD_EPSILON)


def scale(value_N: Tensor, ranked: Ranked, _offset: float) -> Tensor:
    """`score / std`, 0 where the segment is one tie: what spread it has then is rounding."""
    std_N = segment_std(value_N - over_segments(value_N, ranked), ranked)
    spread_N = (ranked.runs_S > 1).index_select(0, ranked.segment_N) & (std_N > 0)
    return torch.where(spread_N, value_N / std_N, 0.0)


GROUP_MAPS: dict[str, Map] = {"gaussian": gaussian, "zscore": zscore, "zscore_sample": zscore_sample, "centre": centre}
TASK_MAPS: dict[str, Map | None] = {"gaussian": gaussian, "scale": scale, "zscore": zscore, "none": None}


def over_segments(value_N: Tensor, ranked: Ranked) -> Tensor:
    """Mean of each row's segment (N,)."""
    return segment_mean(value_N, ranked.segment_N, ranked.size_S).index_select(0, ranked.segment_N)


def segment_std(centred_N: Tensor, ranked: Ranked) -> Tensor:
    """Population standard deviation of each row's segment (N,), from values whose segment means are 0."""
    return torch.sqrt(over_segments(centred_N * centred_N, ranked))


def _share_runs(value_at_place_N: Tensor, ranked: Ranked) -> Tensor:
    shared_N = segment_mean(value_at_place_N, ranked.run_N, ranked.run_size_K).index_select(0, ranked.run_N)
    return torch.empty_like(shared_N).scatter_(0, ranked.order_N, shared_N)
