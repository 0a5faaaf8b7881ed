"""verl's advantage estimators `g2rpo`, `g2rpo_gdpo`, `ema_grpo`: plug point `core_algos.register_adv_est`.

Task labels, reward parts and what is kept between steps come from the task-aware trainer (batch_labels.py). Under a
stock trainer all rows are one task, there are no parts, and moments live as long as the process. Rows with an empty
mask pad the batch and take no rank. Advantages and returns are equal, both (B, T).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from verl.trainer.ppo.core_algos import register_adv_est

from verl_ext import batch_labels
from verl_ext.config import ema_settings, g2rpo_settings
from verl_ext.ema_grpo import ema_grpo_scores
from verl_ext.g2rpo import g2rpo_scores
from verl_ext.g2rpo_gdpo import g2rpo_gdpo_scores
from verl_ext.ranked_rows import rows_with_tokens
from verl_ext.ranking import factorize

Config = Mapping[str, Any] | None
_process_memory: dict[str, Any] = {}


@dataclass(frozen=True)
class _Batch:
    """What all estimators take."""

    rewards_N: Tensor
    where: dict[str, Any]
    """group_N, task_N, valid_N, session_N, final_N, task_names."""
    labels: batch_labels.BatchLabels | None

    @classmethod
    def of(cls, rewards_NT: Tensor, mask_NT: Tensor, index: np.ndarray) -> _Batch:
        labels, device = batch_labels.current(len(rewards_NT)), rewards_NT.device
        task_N, names = factorize(["all"] * len(rewards_NT) if labels is None else labels.task)
        where: dict[str, Any] = {"group_N": factorize(index)[0].to(device), "task_N": task_N.to(device)}
        where |= {"task_names": names, "valid_N": rows_with_tokens(mask_NT)}
        if labels is not None:
            where["session_N"] = factorize(labels.session)[0].to(device)
            where["final_N"] = torch.from_numpy(labels.final).to(device)
        return cls(rewards_NT.sum(dim=-1), where, labels)

    def part(self, name: str) -> Tensor | None:
        values = self.labels.parts.get(name) if self.labels else None
        return None if values is None else torch.from_numpy(values).to(self.rewards_N.device)


def _on_tokens(scores_N: Tensor, rewards_NT: Tensor, mask_NT: Tensor) -> tuple[Tensor, Tensor]:
    advantages = scores_N.to(rewards_NT.dtype).unsqueeze(-1) * mask_NT
    return advantages, advantages


@register_adv_est("g2rpo")
@torch.no_grad()
def compute_g2rpo_advantage(
    token_level_rewards: Tensor, response_mask: Tensor, index: np.ndarray, config: Config = None, **_kwargs: Any
) -> tuple[Tensor, Tensor]:
    """Gaussian ranks per prompt group, then per task; settings in `algorithm.g2rpo`."""
    batch = _Batch.of(token_level_rewards, response_mask, index)
    settings = g2rpo_settings((config or {}).get("g2rpo"))
    result = g2rpo_scores(batch.rewards_N, settings=settings, success_N=batch.part("accuracy"), **batch.where)
    return _on_tokens(result.scores_N, token_level_rewards, response_mask)


@register_adv_est("g2rpo_gdpo")
@torch.no_grad()
def compute_g2rpo_gdpo_advantage(
    token_level_rewards: Tensor, response_mask: Tensor, index: np.ndarray, config: Config = None, **_kwargs: Any
) -> tuple[Tensor, Tensor]:
    """The map per reward part, summed with `algorithm.g2rpo.components`, then per task."""
    batch = _Batch.of(token_level_rewards, response_mask, index)
    if batch.labels is None:
        raise ValueError("g2rpo_gdpo needs the parts of the reward: set trainer.v1.trainer_mode=verl_ext_sync")
    settings = g2rpo_settings((config or {}).get("g2rpo"))
    components = {name: batch.part(name) for name in batch.labels.parts}
    result = g2rpo_gdpo_scores(components, settings=settings, **batch.where)
    return _on_tokens(result.scores_N, token_level_rewards, response_mask)


@register_adv_est("ema_grpo")
@torch.no_grad()
def compute_ema_grpo_advantage(
    token_level_rewards: Tensor, response_mask: Tensor, index: np.ndarray, config: Config = None, **_kwargs: Any
) -> tuple[Tensor, Tensor]:
    """Centred rewards over the task's moving deviation; settings in `algorithm.ema_grpo`."""
    batch = _Batch.of(token_level_rewards, response_mask, index)
    memory = _process_memory if batch.labels is None else batch.labels.memory
    settings = ema_settings((config or {}).get("ema_grpo"))
    moments = memory.get("ema_grpo", {})
    result = ema_grpo_scores(batch.rewards_N, moments=moments, settings=settings, **batch.where)
    memory["ema_grpo"] = dict(result.moments)
    return _on_tokens(result.scores_N, token_level_rewards, response_mask)
