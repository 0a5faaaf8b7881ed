"""Entropy shaping per task (arXiv 2604.08539): a hinge on the mean token entropy, with a gradient that no cut changes.

For task t with mean token entropy H_t over its N_t response tokens, the penalty is `lambda * sum_t [max(0, H_t -
high_t) + max(0, low_t - H_t)]`. Its gradient is `lambda * s_t * dH_t`, where the side s_t is 1 above the band, -1
below and 0 inside. So the side is fixed once per step, from the entropies of the whole batch before the first update,
and every row carries `w = lambda * s_t * M / N_t` (M mini-batches per epoch); the loss of a micro-batch gains `dp_size
* sum_rows w * sum_tokens H`. Summed over micro-batches and averaged over data-parallel ranks, that is the hinge's own
gradient at the first update of a step with M = 1, whatever the micro-batch size, packing or number of ranks. Later
mini-batches and epochs use the side of the step's start. Lambda is the task's coefficient in the step: fixed, warmed up
or controlled (verl_ext/entropy_control.py).

H is the true entropy of the policy's distribution, not `-log p` of the sampled tokens: descent on the latter above the
band makes rare tokens likelier, and so raises the entropy.

Axes: B rows, T response tokens, K tasks (integer ids 0..K-1).
"""

from __future__ import annotations

import torch
from torch import Tensor


def row_entropy(entropy_BT: Tensor, mask_BT: Tensor) -> tuple[Tensor, Tensor]:
    """Sum of the token entropies (nats) and number of response tokens of each row, both (B,), float64."""
    mask = mask_BT.bool()
    return entropy_BT.double().masked_fill(~mask, 0.0).sum(-1), mask.sum(-1).double()


def task_entropy(
    entropy_B: Tensor, tokens_B: Tensor, task_B: Tensor, tasks: int | None = None
) -> tuple[Tensor, Tensor]:
    """Mean token entropy H_t and tokens N_t of each task (K,), from the rows' sums.

    The mean weighs tokens, not rows. Rows without tokens (padding) count nowhere; H_t is 0 for a task without tokens.
    """
    if not torch.isfinite(entropy_B[tokens_B > 0]).all():
        rows = torch.nonzero(~torch.isfinite(entropy_B) & (tokens_B > 0)).squeeze(1)
        raise ValueError(f"the token entropy of {rows.numel()} row(s) is NaN or infinite: rows {rows[:5].tolist()}")
    count = tasks if tasks is not None else int(task_B.max()) + 1 if task_B.numel() else 0
    entropy_B = entropy_B.double().masked_fill(tokens_B == 0, 0.0)
    total_K = entropy_B.new_zeros(count).index_add_(0, task_B, entropy_B)
    tokens_K = entropy_B.new_zeros(count).index_add_(0, task_B, tokens_B.double())
    return total_K / tokens_K.clamp_min(1), tokens_K


def spare(
    entropy_B: Tensor, tokens_B: Tensor, task_B: Tensor, spared_B: Tensor, high_K: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """What the band judges where spared rows count for its upper edge alone: H_t, N_t (both (K,)) and the tokens (B,).

    For a task above its band all rows count, as in `task_entropy`. For any other the spared rows have no tokens, and
    H_t is the mean over the rest, at most the upper edge: 0 of 0 tokens where all are spared.
    """
    above_K = task_entropy(entropy_B, tokens_B, task_B, len(high_K))[0] > high_K
    tokens_B = tokens_B.masked_fill(spared_B & ~above_K[task_B], 0.0)
    entropy_K, tokens_K = task_entropy(entropy_B, tokens_B, task_B, len(high_K))
    return torch.where(above_K, entropy_K, entropy_K.minimum(high_K)), tokens_K, tokens_B


def band_side(entropy_K: Tensor, low_K: Tensor, high_K: Tensor) -> Tensor:
    """Side (K,) in {-1, 0, 1}: 1 above the band (descent lowers the entropy), -1 below it, 0 inside or on its edges."""
    return (entropy_K > high_K).double() - (entropy_K < low_K).double()


def row_weights(side_K: Tensor, tokens_K: Tensor, coeff_K: Tensor, task_B: Tensor, *, mini_batches: int) -> Tensor:
    """Weight (B,) of each row's summed token entropy: `coeff_t * side_t * M / N_t`; 0 for a task without tokens."""
    if mini_batches < 1:
        raise ValueError(f"mini_batches is {mini_batches}; an epoch has at least one")
    weight_K = torch.where(tokens_K > 0, coeff_K.double() * side_K * mini_batches / tokens_K.clamp_min(1), 0.0)
    return weight_K[task_B]


def entropy_term(entropy_BT: Tensor, mask_BT: Tensor, weight_B: Tensor, *, dp_size: int) -> Tensor:
    """Loss of a micro-batch, `dp_size * sum_rows w * sum_tokens H`; not to be divided by anything afterwards.

    `dp_size` undoes the mean that data-parallel gradients take. `entropy_BT` must be differentiable.
    """
    # Weights of large batches are below the smallest number of float16.
    wide = torch.promote_types(entropy_BT.dtype, torch.float32)
    masked_BT = entropy_BT.to(wide).masked_fill(~mask_BT.bool(), 0.0)
    return dp_size * (masked_BT.sum(-1) * weight_B.to(masked_BT)).sum()
