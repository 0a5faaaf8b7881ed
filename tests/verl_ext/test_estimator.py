"""`g2rpo` through verl's own registry and signature."""

import numpy as np
import pytest
import torch
import verl  # noqa: F401
from omegaconf import OmegaConf
from verl.trainer.config import AlgoConfig
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

from verl_ext import batch_labels, estimator


def advantages(rewards, *, mask=None, index=None, config=None, tokens=3):
    rewards = torch.tensor(rewards, dtype=torch.float32)
    mask = torch.ones(len(rewards), tokens) if mask is None else torch.tensor(mask, dtype=torch.float32)
    token_level = torch.zeros(len(rewards), mask.shape[1])
    token_level[:, -1] = rewards
    index = np.array(index if index is not None else ["a"] * len(rewards), dtype=object)
    values, returns = get_adv_estimator_fn("g2rpo")(token_level, mask, index=index, config=config)
    assert torch.equal(values, returns)
    return values


def test_a_worked_value_of_the_paper_stands_on_every_token():
    values = advantages([0.1, 0.1, 0.1, 0.2, 1.0])
    np.testing.assert_allclose(values[:, 0], [-0.60, -0.60, -0.60, 0.52, 1.28], atol=1e-2)
    assert torch.equal(values, values[:, :1].expand_as(values))


@pytest.mark.parametrize("config", [None, {}, OmegaConf.create({"g2rpo": None}), AlgoConfig()])
def test_any_algorithm_config_of_verl(config):
    assert advantages([0, 1], config=config)[1, 0] == pytest.approx(0.6745, abs=1e-3)


def test_settings_reach_the_estimator():
    config = OmegaConf.create({"g2rpo": {"zero_signal": "published"}})
    values = advantages([0] * 7 + [1] + [1] * 8, index=["a"] * 8 + ["b"] * 8, config=config)
    np.testing.assert_allclose(values[8:, 0], 0.540, atol=1e-3)


def test_unknown_setting_names_the_nearest():
    with pytest.raises(ValueError, match="tie_epsilon"):
        advantages([0, 1], config={"g2rpo": {"tie_epsilom": 1}})


def test_rows_with_empty_mask_take_no_rank():
    values = advantages([0, 1, 5], mask=[[1, 1], [1, 1], [0, 0]], index=["a", "a", "pad"])
    np.testing.assert_allclose(values[:, 0], [-0.6745, 0.6745, 0], atol=1e-3)


def test_nan_reward_names_the_row():
    with pytest.raises(ValueError, match="row 1"):
        advantages([0, float("nan"), 1])


def test_labels_make_tasks():
    rewards, index = [0, 0, 0, 1, 0.2, 0.4, 0.6, 0.8], ["a"] * 4 + ["b"] * 4
    session, final = batch_labels.sessions([f"{group}_{i}_0" for i, group in enumerate(index)])
    labels = batch_labels.BatchLabels(np.array(["x"] * 4 + ["y"] * 4, dtype=object), session, final)
    with batch_labels.provide(labels):
        apart = advantages(rewards, index=index)
    np.testing.assert_allclose(apart[:4], advantages(rewards[:4]))
    np.testing.assert_allclose(apart[4:], advantages(rewards[4:]))
    assert not torch.allclose(apart, advantages(rewards, index=index))


def test_labels_of_another_batch_are_refused():
    session, final = batch_labels.sessions(["a_0_0"])
    labels = batch_labels.BatchLabels(np.array(["x"]), session, final)
    with batch_labels.provide(labels), pytest.raises(ValueError, match="1 rows"):
        advantages([0, 1])


def test_session_ranks_once_by_its_last_output():
    keys = ["a_0_0", "a_0_1", "a_1_0", "a_2_0"]
    session, final = batch_labels.sessions(keys)
    assert final.tolist() == [False, True, True, True]
    with batch_labels.provide(batch_labels.BatchLabels(np.array(["x"] * 4), session, final)):
        values = advantages([9, 0, 1, 2])[:, 0]
    np.testing.assert_allclose(values, [-0.9674, -0.9674, 0, 0.9674], atol=1e-3)


def labelled(rewards, groups, task, **extra):
    session, final = batch_labels.sessions([f"{group}_{i}_0" for i, group in enumerate(groups)])
    return batch_labels.BatchLabels(np.array(task, dtype=object), session, final, **extra)


def estimate(name, rewards, groups, **kwargs):
    rewards = torch.tensor(rewards).unsqueeze(-1)
    return get_adv_estimator_fn(name)(rewards, torch.ones_like(rewards), index=np.array(groups), **kwargs)[0].squeeze(
        -1
    )


def test_gdpo_maps_the_parts_apart():
    parts = {"accuracy": np.array([0.0, 1, 0, 1]), "format": np.array([1.0, 0, 1, 0]), "structure": np.zeros(4)}
    with batch_labels.provide(labelled([0.0] * 4, ["a"] * 4, ["x"] * 4, parts=parts)):
        assert estimate("g2rpo_gdpo", [0.0] * 4, ["a"] * 4).abs().max() < 1e-9  # the two parts cancel
        config = {"g2rpo": {"components": {"accuracy": 1.0}}}
        np.testing.assert_allclose(
            estimate("g2rpo_gdpo", [0.0] * 4, ["a"] * 4, config=config)[[1, 3]], 0.7345, atol=1e-3
        )


def test_gdpo_without_parts_names_the_trainer():
    with pytest.raises(ValueError, match="verl_ext_sync"):
        estimate("g2rpo_gdpo", [0.0, 1.0], ["a", "a"])


def test_ema_moments_stay_in_the_trainers_memory():
    memory = {}
    with batch_labels.provide(labelled([0.0, 1.0], ["a", "a"], ["x", "x"], memory=memory)):
        first = estimate("ema_grpo", [0.0, 1.0], ["a", "a"])
    assert memory == {"ema_grpo": {"x": (0.5, 0.5)}}
    np.testing.assert_allclose(first, [-1, 1], atol=1e-4)
    with batch_labels.provide(labelled([0.0, 0.0], ["a", "a"], ["x", "x"], memory=memory)):
        assert estimate("ema_grpo", [0.0, 0.0], ["a", "a"]).abs().max() == 0
    assert memory["ema_grpo"]["x"] == pytest.approx((0.495, 0.495))


def test_ema_settings_reach_the_estimator():
    """Without decay the batch's own deviation counts, not that of the memory."""
    memory = {"ema_grpo": {"x": (0.0, 100.0)}}
    with batch_labels.provide(labelled([0.0, 1.0], ["a", "a"], ["x", "x"], memory=memory)):
        values = estimate("ema_grpo", [0.0, 1.0], ["a", "a"], config={"ema_grpo": {"decay": 0}})
    np.testing.assert_allclose(values, [-1, 1], atol=1e-4)


def test_without_a_trainer_of_ours_moments_live_as_long_as_the_process(monkeypatch):
    monkeypatch.setattr(estimator, "_process_memory", {})
    estimate("ema_grpo", [0.0, 1.0], ["a", "a"])
    later = estimate("ema_grpo", [0.0, 2.0], ["a", "a"])
    np.testing.assert_allclose(later[1], 1 / (0.515 - 0.505**2) ** 0.5, atol=1e-4)


@pytest.mark.parametrize("name", ["g2rpo", "g2rpo_gdpo"])
def test_the_success_floor_looks_at_the_accuracy_and_not_at_the_reward(name):
    config = {"g2rpo": {"success_floor": 0.5, "components": {"format": 1.0}}}
    rewards, groups = [0.6, 0.7, 0.8, 0.9], ["a"] * 4
    parts = {"accuracy": np.array([0.0, 0.0, 1.0, 0.0]), "format": np.array(rewards)}
    with batch_labels.provide(labelled(rewards, groups, ["x"] * 4, parts=parts)):
        values = estimate(name, rewards, groups, config=config)
    assert (values > 0).tolist() == [False, False, True, False]
