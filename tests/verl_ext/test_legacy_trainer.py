"""verl's legacy trainer (`trainer.use_v1=false`) calls the estimators as the stock v1 trainers do: as one task."""

import warnings

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf
from verl import DataProto
from verl.trainer.ppo.ray_trainer import compute_advantage

from verl_ext.g2rpo import g2rpo_scores

REWARDS = [0.0, 0.0, 1.0, 0.9, 0.2, 0.2, 0.2, 0.2]
GROUP = [0, 0, 0, 0, 1, 1, 1, 1]


def batch():
    mask = torch.ones(8, 3)
    rewards = torch.zeros(8, 3)
    rewards[:, -1] = torch.tensor(REWARDS)
    uid = np.array([f"p{number}" for number in GROUP], dtype=object)
    return DataProto.from_dict({"token_level_rewards": rewards, "response_mask": mask}, non_tensors={"uid": uid})


def legacy(estimator, block):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return compute_advantage(batch(), adv_estimator=estimator, config=OmegaConf.create(block)).batch["advantages"]


def test_g2rpo_is_one_task():
    expected = g2rpo_scores(torch.tensor(REWARDS), torch.tensor(GROUP)).scores_N.float()
    torch.testing.assert_close(legacy("g2rpo", {"g2rpo": {}}), expected.unsqueeze(-1).expand(-1, 3).contiguous())


def test_ema_grpo_runs_and_what_needs_parts_says_so():
    assert legacy("ema_grpo", {})[:4].abs().min() > 0
    with pytest.raises(ValueError, match="needs the parts of the reward"):
        legacy("g2rpo_gdpo", {})
