"""Gaussian GRPO (G2RPO, arXiv 2604.08539): advantages from the ranks of the rewards, per prompt group, then per task.

Stage 1, in every group of n responses: rank k (ascending) becomes `q_k = Phi^-1((k - 0.5) / n)`; equal rewards share
the mean of the q_k of the ranks that they occupy. Stage 2, over all stage-1 scores of a task in the batch: the same
map again, so that every task's advantages follow N(0, 1) whatever the shape of its rewards. Groups whose rewards are
all equal carry no signal: they score exactly 0 and stay out of stage 2 (the published code lets them in:
`zero_signal`).

The stages are settings, so GRPO, Dr.GRPO and the published G2RPO are points of one space:
clip(floor(unit_variance(recenter(task_map(unit_variance(group_map(quantise(reward)))))))).

Axes: N rows of the batch, R rows that take a rank, P rows that take part in stage 2, G groups. Gathers are written as
`index_select` and `scatter_`: on a CPU they take a third of the time of `x[index]`.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field

import torch
from torch import Tensor

from verl_ext.ranked_rows import ranked_rows
from verl_ext.ranking import Ranked, rank
from verl_ext.stages import (
    GROUP_MAPS,
    PLOTTING_POSITIONS,
    TASK_MAPS,
    over_segments,
    scale,
)

# Distinct scores of groups of up to a million lie 1e-6 apart; the same quantiles summed in another order, 1e-15.
SCORE_EPSILON = 1e-9


@dataclass(frozen=True)
class G2RPOSettings:
    """`algorithm.g2rpo`. Numbers are for groups of 8 unless said otherwise; the order inside a group stays in all."""

    tie_epsilon: float = 1e-6
    """Rewards whose gap to the next one is at most this tie. The order of distinct rewards stays; without it, float
    noise of 1e-7 would give an all-equal group advantages from -1.53 to 1.53. A chain of small gaps is one tie."""
    task_tie_epsilon: Mapping[str, float] = field(default_factory=dict)
    """Epsilon of single tasks, by label: with 0.05 for a task judged by IoU, 0.71 and 0.74 are equal."""
    group_map: str = "gaussian"
    """Stage 1; the mean of a group is 0 in each. "gaussian": deviation 0.923 for distinct rewards, 0.580 for one
    winner, who gets 1.53. "zscore": deviation 1, the winner 2.65 (GRPO). "zscore_sample": by the sample's deviation,
    as verl's `grpo`: 0.935 and 2.47. "centre": the rewards' own deviation, 0.331 and 0.875 for one winner
    (Dr.GRPO)."""
    plotting_position: str = "hazen"
    """Probability of rank k of n in gaussian maps: "hazen" (k - 1/2) / n, "blom" (k - 3/8) / (n + 1/4), "tukey"
    (k - 1/3) / (n + 1/3), "van_der_waerden" k / (n + 1). Means of 0 and order stay; the best of 8 gets 1.53, 1.43,
    1.41, 1.22, the deviation is 0.923, 0.870, 0.855, 0.755."""
    zero_signal: str = "zero"
    """All-equal groups: "zero" scores them 0 and leaves them out of stage 2. "published" lets their zeros take ranks in
    stage 2, as the published code does: with [0]*7+[1] and [1]*8 of one task the second group gets +0.540 and the first
    one's mean falls to -0.540."""
    task_map: str = "gaussian"
    """Stage 2. "gaussian": every task's scores have mean 0 and a deviation near 1 (0.972 for many groups of distinct
    rewards, which share 8 stage-1 scores), while a group's mean may leave 0 ([0]*7+[1] and [0]+[1]*7 of one task:
    -0.317 and 0.317). "scale": divides by the task's deviation, so it is 1 and group means stay 0. "zscore": also
    subtracts the task's mean, which every group map leaves at 0. "none": stage-1 scores stay."""
    task_min_rows: int = 1
    """Tasks with fewer rows that carry signal keep their stage-1 scores. 1 maps all; with 9, a task that has one group
    with one winner is not blown up by 1 / 0.580 = 1.72 under "scale". Means and order stay."""
    recenter: bool = False
    """Subtract each group's mean after stage 2: group means are 0 again, a part of the task's variance goes (the
    example of `task_map`: deviation 0.883 to 0.824), the order between groups may change."""
    unit_variance: str = "none"
    """"group": divide each group's stage-1 scores by their deviation, so that all groups weigh the same (one winner:
    0.580 to 1). "task": divide each task's scores after stage 2 and re-centring by their root mean square (0.972 to
    1). Means of 0 and the order inside the segment stay. "none": neither."""
    success_floor: float | None = None
    """Where the success (accuracy if given, else reward) is below this, positive advantages become 0: the best of a
    group of failures is not reinforced. Means fall: rewards 0, 0.1 .. 0.7 with floor 0.5 lose the one positive score
    below it and the mean falls from 0 to -0.02. The order may gain ties at 0, and no more."""
    clip: float | None = None
    """Largest magnitude of an advantage: the order stays but for ties at the bound, means of 0 need not; 3 touches
    0.27 % of N(0, 1) and lowers its deviation to 0.998. None: no bound."""
    components: Mapping[str, float] | None = None
    """Reward parts and their weights in `g2rpo_gdpo`, which maps each part apart; `g2rpo` maps the composed reward. A
    weight scales its part's share of the mean (0) and deviation; the order is that of the weighted sum. None: 1 for
    accuracy, format and structure."""

    def __post_init__(self) -> None:
        known: dict[str, Collection[str]] = {
            "group_map": GROUP_MAPS,
            "plotting_position": PLOTTING_POSITIONS,
            "zero_signal": ("zero", "published"),
            "task_map": TASK_MAPS,
            "unit_variance": ("none", "group", "task"),
        }
        for name, values in known.items():
            if getattr(self, name) not in values:
                raise ValueError(f"g2rpo.{name} is {getattr(self, name)!r}; it must be one of {', '.join(values)}")
        for name, value in {"tie_epsilon": self.tie_epsilon, **self.task_tie_epsilon}.items():
            if not value >= 0:
                raise ValueError(f"the tie epsilon {name} is {value}; it must be 0 or more")
        if self.clip is not None and not self.clip > 0:
            raise ValueError(f"g2rpo.clip is {self.clip}; it must be greater than 0, or null")


@dataclass(frozen=True)
class G2RPOResult:
    scores_N: Tensor
    """Advantage of each row, float64; exactly 0 for padding rows and (by default) zero-signal groups."""
    zero_signal_N: Tensor
    """True for the rows of zero-signal groups; False for padding rows."""


def g2rpo_scores(
    rewards_N: Tensor,
    group_N: Tensor,
    task_N: Tensor | None = None,
    *,
    settings: G2RPOSettings | None = None,
    valid_N: Tensor | None = None,
    session_N: Tensor | None = None,
    final_N: Tensor | None = None,
    success_N: Tensor | None = None,
    task_names: Sequence[object] | None = None,
) -> G2RPOResult:
    """Advantages of a batch.

    `group_N` and `task_N` are integer ids in any order (`ranking.factorize` makes them); without `task_N` all rows are
    one task. Rows with `valid_N` False only pad the batch: they take no rank and score 0. With `session_N` (ids unique
    in the batch) a session is ranked once, by its row marked in `final_N`, and its other rows get the same score.
    `success_N` (accuracy) is what `success_floor` looks at; `task_names[id]` what `task_tie_epsilon` is keyed by.

    Raises ValueError for NaN or infinite rewards of valid rows, mismatched shapes, and sessions without exactly one
    final row.
    """
    settings = settings or G2RPOSettings()
    task_N = torch.zeros_like(group_N) if task_N is None else task_N
    columns = {"group_N": group_N, "task_N": task_N, "success_N": success_N}
    rows = ranked_rows(rewards_N, valid_N=valid_N, session_N=session_N, final_N=final_N, **columns)
    reward_R, task_R = rows.pick(rewards_N).double(), rows.pick(task_N)
    success_R = reward_R if success_N is None else rows.pick(success_N).double()

    groups = rank(reward_R, rows.pick(group_N), tie_epsilon=tie_epsilon_of(task_R, settings, task_names))
    zero_signal_R = (groups.runs_S == 1).index_select(0, groups.segment_N)
    stage1_R = group_scores(reward_R, groups, settings)
    score_R = task_scores(stage1_R, task_R, groups, zero_signal_R, success_R, settings)
    return G2RPOResult(rows.spread(score_R), rows.spread(zero_signal_R))


def tie_epsilon_of(task_R: Tensor, settings: G2RPOSettings, names: Sequence[object] | None) -> float | Tensor:
    """Tie epsilon of each row: its task's own, where there is one."""
    if names is None or not settings.task_tie_epsilon:
        return settings.tie_epsilon
    own = [settings.task_tie_epsilon.get(str(name), settings.tie_epsilon) for name in names]
    return torch.tensor(own, dtype=torch.float64, device=task_R.device).index_select(0, task_R)


def group_scores(reward_R: Tensor, groups: Ranked, settings: G2RPOSettings) -> Tensor:
    """Stage 1; exactly 0 where a group's rewards all tie."""
    offset = PLOTTING_POSITIONS[settings.plotting_position]
    score_R = GROUP_MAPS[settings.group_map](reward_R, groups, offset)
    if settings.unit_variance == "group":
        score_R = scale(score_R, groups, offset)
    return score_R.masked_fill((groups.runs_S == 1).index_select(0, groups.segment_N), 0.0)


def task_scores(
    stage1_R: Tensor,
    task_R: Tensor,
    groups: Ranked,
    zero_signal_R: Tensor,
    success_R: Tensor,
    settings: G2RPOSettings,
) -> Tensor:
    """Stage 2 over the rows that take part in it, and what follows it."""
    offset, task_map = PLOTTING_POSITIONS[settings.plotting_position], TASK_MAPS[settings.task_map]
    out_R = torch.zeros_like(zero_signal_R) if settings.zero_signal == "published" else zero_signal_R
    in_P = torch.nonzero(~out_R).squeeze(1)
    score_R = stage1_R
    tasks: Ranked | None = None
    if task_map is not None or settings.unit_variance == "task":
        stage1_P = stage1_R.index_select(0, in_P)
        tasks = rank(stage1_P, task_R.index_select(0, in_P), tie_epsilon=SCORE_EPSILON)
        if task_map is not None:
            mapped_P = task_map(stage1_P, tasks, offset)
            enough_P = (tasks.size_S >= settings.task_min_rows).index_select(0, tasks.segment_N)
            score_R = stage1_R.scatter(0, in_P, torch.where(enough_P, mapped_P, stage1_P))
    if settings.recenter:
        score_R = score_R - over_segments(score_R, groups)
    if settings.unit_variance == "task" and tasks is not None:
        score_R = score_R.scatter(0, in_P, scale(score_R.index_select(0, in_P), tasks, offset))
    if settings.success_floor is not None:
        score_R = torch.where(success_R < settings.success_floor, score_R.clamp_max(0.0), score_R)
    return score_R if settings.clip is None else score_R.clamp(-settings.clip, settings.clip)
