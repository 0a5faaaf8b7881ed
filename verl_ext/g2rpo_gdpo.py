"""G2RPO with decoupled components: every reward part is mapped apart inside its group, then the weighted scores are
summed and mapped per task.

score = sum_c w_c * group_map(component_c);  advantage = task_map(score)

So a part with a small weight in the reward still orders the responses that the others leave tied, and no part drowns
another by its scale (GDPO, arXiv 2601.05242, with the stages of `g2rpo`; the published code's variant has weights 1 and
no length part). A group carries no signal where every part with a weight ties; weights of 0 leave a part out.

Axes: N rows of the batch, R rows that take a rank, G groups.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from verl_ext.g2rpo import (
    G2RPOResult,
    G2RPOSettings,
    group_scores,
    task_scores,
    tie_epsilon_of,
)
from verl_ext.ranked_rows import ranked_rows
from verl_ext.ranking import rank

COMPONENTS = {"accuracy": 1.0, "format": 1.0, "structure": 1.0}
"""Weights where the settings give none."""


def g2rpo_gdpo_scores(
    components: Mapping[str, Tensor],
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
    """Advantages from reward parts, each (N,), with the weights of `settings.components`; see `g2rpo_scores` for the
    rest.

    `success_floor` looks at `success_N`, else at the part `accuracy`, else at the weighted sum. Raises ValueError for
    a weighted part that is missing, and as `g2rpo_scores`.
    """
    settings = settings or G2RPOSettings()
    chosen = COMPONENTS if settings.components is None else settings.components
    weights = {name: weight for name, weight in chosen.items() if weight != 0}
    missing = [name for name in weights if name not in components]
    if missing or not weights:
        raise ValueError(
            f"g2rpo_gdpo has no reward part {', '.join(missing) or 'with a weight'}; the batch has "
            f"{', '.join(components)}: fix algorithm.g2rpo.components or the reward function"
        )
    task_N = torch.zeros_like(group_N) if task_N is None else task_N
    total_N = sum((weight * components[name].double() for name, weight in weights.items()), torch.zeros(()))
    columns = {
        "group_N": group_N,
        "task_N": task_N,
        "success_N": success_N,
        **{name: components[name] for name in weights},
    }
    rows = ranked_rows(total_N, valid_N=valid_N, session_N=session_N, final_N=final_N, **columns)
    task_R, group_R = rows.pick(task_N), rows.pick(group_N)
    epsilon = tie_epsilon_of(task_R, settings, task_names)

    stage1_R = torch.zeros(rows.row_R.shape, dtype=torch.float64, device=group_N.device)
    zero_signal_G: Tensor | None = None
    for name, weight in weights.items():
        part_R = rows.pick(components[name]).double()
        groups = rank(part_R, group_R, tie_epsilon=epsilon)
        stage1_R += weight * group_scores(part_R, groups, settings)
        tied_G = groups.runs_S == 1
        zero_signal_G = tied_G if zero_signal_G is None else zero_signal_G & tied_G
    assert zero_signal_G is not None
    zero_signal_R = zero_signal_G.index_select(0, groups.segment_N)
    if success_N is None:
        success_N = components.get("accuracy", total_N)
    score_R = task_scores(stage1_R, task_R, groups, zero_signal_R, rows.pick(success_N).double(), settings)
    return G2RPOResult(rows.spread(score_R), rows.spread(zero_signal_R))
