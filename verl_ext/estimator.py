"""verl's advantage estimator `g2rpo`: plug point `core_algos.register_adv_est`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import torch
from torch import Tensor
from verl.trainer.ppo.core_algos import register_adv_est

from verl_ext import batch_labels
from verl_ext.config import g2rpo_settings
from verl_ext.g2rpo import g2rpo_scores
from verl_ext.ranking import factorize


@register_adv_est("g2rpo")
def compute_g2rpo_advantage(
    token_level_rewards: Tensor,
    response_mask: Tensor,
    index: np.ndarray,
    config: Mapping[str, Any] | None = None,
    **_kwargs: Any,
) -> tuple[Tensor, Tensor]:
    """Advantages and returns (both (B, T), equal) from token rewards (B, T), mask (B, T) and prompt group (B,).

    Settings come from `algorithm.g2rpo`. Task labels come from the task-aware trainer; under a stock trainer all rows
    are one task. Rows with an empty mask pad the batch and take no rank.
    """
    labels = batch_labels.current(len(token_level_rewards))
    device = token_level_rewards.device

    def ids(values: Any) -> Tensor:
        return factorize(values)[0].to(device)

    with torch.no_grad():
        result = g2rpo_scores(
            token_level_rewards.sum(dim=-1),
            ids(index),
            None if labels is None else ids(labels.task),
            settings=g2rpo_settings((config or {}).get("g2rpo")),
            valid_N=response_mask.bool().any(dim=-1),
            session_N=None if labels is None else ids(labels.session),
            final_N=None if labels is None else torch.from_numpy(labels.final).to(device),
        )
        advantages = result.scores_N.to(token_level_rewards.dtype).unsqueeze(-1) * response_mask
    return advantages, advantages
