"""Gaussian GRPO (G2RPO, arXiv 2604.08539): advantages from the ranks of the rewards, per prompt group, then per task.

Stage 1, in every group of n responses: rank k (ascending) becomes `q_k = Phi^-1((k - 0.5) / n)`; equal rewards share
the mean of the q_k of the ranks that they occupy. Stage 2, over all stage-1 scores of a task in the batch: the same
map again, so that every task's advantages follow N(0, 1) whatever the shape of its rewards. Groups whose rewards are
all equal carry no signal: they score exactly 0 and stay out of stage 2 (the published code lets them in:
`zero_signal`).

Axes: N rows of the batch, R rows that take a rank, P rows that take part in stage 2, G groups. Gathers are written as
`index_select` and `scatter_`: on a CPU they take a third of the time of `x[index]`.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verl_ext.ranking import Ranked, gaussian_scores, rank, segment_mean

# Distinct scores of groups of up to a million lie 1e-6 apart; the same quantiles summed in another order, 1e-15.
SCORE_EPSILON = 1e-9


@dataclass(frozen=True)
class G2RPOSettings:
    tie_epsilon: float = 1e-6
    """Rewards whose gap to the next one is at most this tie. The order of distinct rewards stays; without it, float
    noise of 1e-7 would give an all-equal group of 8 advantages from -1.53 to 1.53. A chain of small gaps is one
    tie."""
    zero_signal: str = "zero"
    """All-equal groups: "zero" scores them 0 and leaves them out of stage 2. "published" lets their zeros take ranks in
    stage 2, as the published code does: with [0]*7+[1] and [1]*8 of one task the second group gets +0.540 and the first
    one's mean falls to -0.540."""
    task_map: str = "gaussian"
    """Stage 2. "gaussian": every task's scores have mean 0 and a standard deviation near 1 (0.973 for many groups of 8
    distinct rewards, which share 8 stage-1 scores), while a group's mean may leave 0 ([0]*7+[1] and [0]+[1]*7 of one
    task: -0.317 and 0.317). "none": stage-1 scores stay: mean 0 in every group, a deviation that depends on size and
    ties (8 distinct rewards 0.923, one winner 0.580)."""
    recenter: bool = False
    """Subtract each group's mean after stage 2: group means are 0 again, a part of the task's variance goes (the
    example above: standard deviation 0.883 to 0.824), the order inside groups stays, that between groups may
    change."""

    def __post_init__(self) -> None:
        if not self.tie_epsilon >= 0:
            raise ValueError(f"g2rpo.tie_epsilon is {self.tie_epsilon}; it must be 0 or more")
        for name, known in (("zero_signal", ("zero", "published")), ("task_map", ("gaussian", "none"))):
            if getattr(self, name) not in known:
                raise ValueError(f"g2rpo.{name} is {getattr(self, name)!r}; it must be one of {', '.join(known)}")


@dataclass(frozen=True)
class GroupStats:
    """One entry per group that has a ranked row, in ascending order of the group's id."""

    id_G: Tensor
    size_G: Tensor
    """Ranked rows (sessions, where sessions are given)."""
    zero_signal_G: Tensor
    """True where all rewards tie; so for every group of one."""
    reward_mean_G: Tensor
    score_mean_G: Tensor


@dataclass(frozen=True)
class G2RPOResult:
    scores_N: Tensor
    """Advantage of each row, float64; exactly 0 for padding rows and (by default) zero-signal groups."""
    group_scores_N: Tensor
    """Scores after stage 1."""
    zero_signal_N: Tensor
    """True for the rows of zero-signal groups; False for padding rows."""
    groups: GroupStats


def g2rpo_scores(
    rewards_N: Tensor,
    group_N: Tensor,
    task_N: Tensor | None = None,
    *,
    settings: G2RPOSettings | None = None,
    valid_N: Tensor | None = None,
    session_N: Tensor | None = None,
    final_N: Tensor | None = None,
) -> G2RPOResult:
    """Advantages of a batch.

    `group_N` and `task_N` are integer ids in any order (`ranking.factorize` makes them); without `task_N` all rows are
    one task. Rows with `valid_N` False only pad the batch: they take no rank and score 0. With `session_N` (ids unique
    in the batch) a session is ranked once, by its row marked in `final_N`, and its other rows get the same score.

    Raises ValueError for NaN or infinite rewards of valid rows, mismatched shapes, and sessions without exactly one
    final row.
    """
    settings = settings or G2RPOSettings()
    task_N = torch.zeros_like(group_N) if task_N is None else task_N
    valid_N = torch.ones_like(group_N, dtype=torch.bool) if valid_N is None else valid_N.bool()
    _check_shapes(rewards_N, group_N=group_N, task_N=task_N, valid_N=valid_N, session_N=session_N, final_N=final_N)
    _check_finite(rewards_N, valid_N)
    source_N = None if session_N is None else _session_sources(session_N, final_N, valid_N)
    row_R = torch.nonzero(valid_N if final_N is None or source_N is None else valid_N & final_N.bool()).squeeze(1)
    reward_R = rewards_N.index_select(0, row_R).double()

    groups = rank(reward_R, group_N.index_select(0, row_R), tie_epsilon=settings.tie_epsilon)
    zero_signal_G = groups.runs_S == 1
    zero_signal_R = zero_signal_G.index_select(0, groups.segment_N)
    stage1_R = gaussian_scores(groups).masked_fill(zero_signal_R, 0.0)
    score_R = _task_scores(stage1_R, task_N.index_select(0, row_R), groups, zero_signal_R, settings)

    def spread(value_R: Tensor) -> Tensor:
        value_N = torch.zeros(rewards_N.shape, dtype=value_R.dtype, device=value_R.device)
        value_N.scatter_(0, row_R, value_R)
        return value_N if source_N is None else torch.where(valid_N, value_N[source_N], value_N)

    stats = GroupStats(
        id_G=groups.ids_S,
        size_G=groups.size_S,
        zero_signal_G=zero_signal_G,
        reward_mean_G=segment_mean(reward_R, groups.segment_N, groups.size_S),
        score_mean_G=segment_mean(score_R, groups.segment_N, groups.size_S),
    )
    return G2RPOResult(spread(score_R), spread(stage1_R), spread(zero_signal_R), stats)


def _task_scores(
    stage1_R: Tensor, task_R: Tensor, groups: Ranked, zero_signal_R: Tensor, settings: G2RPOSettings
) -> Tensor:
    """Stage 2 and re-centring."""
    score_R = stage1_R
    if settings.task_map == "gaussian":
        out_R = torch.zeros_like(zero_signal_R) if settings.zero_signal == "published" else zero_signal_R
        in_P = torch.nonzero(~out_R).squeeze(1)
        tasks = rank(stage1_R.index_select(0, in_P), task_R.index_select(0, in_P), tie_epsilon=SCORE_EPSILON)
        score_R = torch.zeros_like(stage1_R).scatter_(0, in_P, gaussian_scores(tasks))
    if settings.recenter:
        score_R = score_R - segment_mean(score_R, groups.segment_N, groups.size_S)[groups.segment_N]
    return score_R


def _check_shapes(rewards_N: Tensor, **others: Tensor | None) -> None:
    if rewards_N.ndim != 1:
        raise ValueError(
            f"rewards_N has shape {tuple(rewards_N.shape)}; give one scalar per row (sum over tokens first)"
        )
    for name, other in others.items():
        if other is not None and other.shape != rewards_N.shape:
            raise ValueError(f"{name} has shape {tuple(other.shape)}; rewards_N has {tuple(rewards_N.shape)}")


def _check_finite(rewards_N: Tensor, valid_N: Tensor) -> None:
    bad_N = valid_N & ~torch.isfinite(rewards_N)
    if bad_N.any():
        rows = torch.nonzero(bad_N).squeeze(1)
        shown = ", ".join(f"row {i}: {rewards_N[i].item()}" for i in rows[:5].tolist())
        raise ValueError(
            f"{rows.numel()} reward(s) are NaN or infinite ({shown}{', ...' if rows.numel() > 5 else ''}); "
            "fix the reward function: a rank of such a value has no meaning"
        )


def _session_sources(session_N: Tensor, final_N: Tensor | None, valid_N: Tensor) -> Tensor:
    """Row (N,) whose reward ranks each row's session; padding rows point at themselves."""
    if final_N is None:
        raise ValueError("session_N needs final_N, the mask of each session's last output")
    ids_S, session_R = torch.unique(session_N[valid_N], return_inverse=True)
    row_R = torch.nonzero(valid_N).squeeze(1)
    final_R = final_N[valid_N].bool()
    count_S = torch.bincount(session_R[final_R], minlength=ids_S.numel())
    if (count_S != 1).any():
        wrong = ids_S[count_S != 1][:5].tolist()
        raise ValueError(f"sessions {wrong} do not have exactly one valid row marked in final_N")
    final_row_S = torch.empty_like(ids_S, dtype=torch.long)
    final_row_S[session_R[final_R]] = row_R[final_R]
    source_N = torch.arange(session_N.numel(), device=session_N.device)
    source_N[row_R] = final_row_S[session_R]
    return source_N
