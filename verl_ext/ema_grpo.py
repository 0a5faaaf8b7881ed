"""EMA-GRPO (OneThinker, arXiv 2512.03043): group-centred rewards over a moving standard deviation of their task.

A = (r - mean_group) / (max(sqrt(m2 - m1^2), floor) + 1e-6)

m1 and m2 are exponential averages of the task's mean reward and mean squared reward, updated with the batch before
they are used; a task's first batch initialises them. A group in which any |A| exceeds `guard` falls back to its own
population standard deviation. Unlike the published code, groups whose rewards tie score exactly 0, padding rows count
nowhere and the state belongs to the caller, who saves it with checkpoints.

Axes: N rows of the batch, R rows that take a rank, K tasks.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from verl_ext.ranked_rows import ranked_rows
from verl_ext.ranking import rank
from verl_ext.stages import STD_EPSILON, centre, over_segments, zscore

# Task label -> (m1, m2). Plain floats: JSON brings them back bit for bit.
Moments = Mapping[str, tuple[float, float]]


@dataclass(frozen=True)
class EmaSettings:
    """`algorithm.ema_grpo`. Group means are 0 and the order inside a group stays under every value."""

    decay: float = 0.99
    """Share of the old moments that stays each step. 0.99 averages over some 100 steps; 0 uses the batch's own
    deviation, so that a task's variance is that within its groups over the batch's."""
    floor: float = 1e-3
    """Least standard deviation: bounds the magnification at 1,000 where a task's rewards hardly differ."""
    guard: float = 5.0
    """Largest magnitude before a group is divided by its own deviation instead: rewards [0]*7+[1] under a task
    deviation of 0.156 would give the winner 5.61, and get 2.65 with standard deviation 1."""
    tie_epsilon: float = 1e-6
    """Rewards whose gap to the next one is at most this are equal."""

    def __post_init__(self) -> None:
        if not 0 <= self.decay < 1:
            raise ValueError(f"ema_grpo.decay is {self.decay}; it must lie in [0, 1)")
        for name in ("floor", "guard"):
            if not getattr(self, name) > 0:
                raise ValueError(f"ema_grpo.{name} is {getattr(self, name)}; it must be greater than 0")
        if not self.tie_epsilon >= 0:
            raise ValueError(f"ema_grpo.tie_epsilon is {self.tie_epsilon}; it must be 0 or more")


@dataclass(frozen=True)
class EmaResult:
    scores_N: Tensor
    """Advantage of each row, float64; exactly 0 for padding rows and groups whose rewards tie."""
    moments: Moments
    """The moments after this batch, tasks that are not in it included."""


def ema_grpo_scores(
    rewards_N: Tensor,
    group_N: Tensor,
    task_N: Tensor,
    *,
    task_names: Sequence[object],
    moments: Moments,
    settings: EmaSettings | None = None,
    valid_N: Tensor | None = None,
    session_N: Tensor | None = None,
    final_N: Tensor | None = None,
) -> EmaResult:
    """Advantages of a batch and the moments after it; `moments` itself is left as it is.

    `task_N` are ids 0..K-1 and `task_names` their labels (`ranking.factorize` makes both). Padding rows, sessions and
    errors as in `g2rpo_scores`.
    """
    settings = settings or EmaSettings()
    rows = ranked_rows(rewards_N, valid_N=valid_N, session_N=session_N, final_N=final_N, group_N=group_N, task_N=task_N)
    reward_R, task_R = rows.pick(rewards_N).double(), rows.pick(task_N)
    updated = _updated(moments, reward_R, task_R, [str(name) for name in task_names], settings.decay)
    std_K = [_std(updated.get(str(name), (0.0, 0.0)), settings.floor) for name in task_names]
    std_R = torch.tensor(std_K, dtype=torch.float64, device=reward_R.device).index_select(0, task_R)

    groups = rank(reward_R, rows.pick(group_N), tie_epsilon=settings.tie_epsilon)
    scaled_R = centre(reward_R, groups, 0.0) / (std_R + STD_EPSILON)
    guarded_R = over_segments((scaled_R.abs() > settings.guard).double(), groups) > 0
    score_R = torch.where(guarded_R, zscore(reward_R, groups, 0.0), scaled_R)
    score_R = score_R.masked_fill((groups.runs_S == 1).index_select(0, groups.segment_N), 0.0)
    return EmaResult(rows.spread(score_R), updated)


def _updated(moments: Moments, reward_R: Tensor, task_R: Tensor, names: list[str], decay: float) -> Moments:
    count_K = torch.bincount(task_R, minlength=len(names)).tolist()
    zero_K = reward_R.new_zeros(len(names))
    first_K = zero_K.index_add(0, task_R, reward_R).tolist()
    second_K = zero_K.index_add(0, task_R, reward_R * reward_R).tolist()
    result = dict(moments)
    for name, count, first, second in zip(names, count_K, first_K, second_K, strict=True):
        if count:
            m1, m2 = result.get(name, (first / count, second / count))
            result[name] = (decay * m1 + (1 - decay) * first / count, decay * m2 + (1 - decay) * second / count)
    return result


def _std(moments: tuple[float, float], floor: float) -> float:
    m1, m2 = moments
    return max(math.sqrt(max(m2 - m1 * m1, 0.0)), floor)
