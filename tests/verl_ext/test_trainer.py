"""The trainer over verl's own base class, without Ray: what its constructor and its checkpoints promise."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
import verl  # noqa: F401
from omegaconf import OmegaConf
from verl.trainer.ppo.v1 import get_trainer_cls
from verl.trainer.ppo.v1.replay_buffer import ReplayBufferAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from verl_ext import batch_rows, trainer
from verl_ext.replay import OrderedReplayBuffer, OrderedReplayBufferAsync


@pytest.fixture
def made(compose_config, tmp_path):
    """A trainer as verl's task runner makes it."""

    def make(*overrides):
        config = compose_config(
            *("+machine=cpu", "+recipe=quickstart", "actor_rollout_ref.model.path=none"),
            *("data.max_response_length=96", f"trainer.default_local_dir={tmp_path}", *overrides),
        )
        OmegaConf.resolve(config)
        return get_trainer_cls(config.trainer.v1.trainer_mode)(config)

    return make


def test_verl_sees_its_own_mode_name(made):
    ours = made()
    assert ours.trainer_mode == ours.config.trainer.v1.trainer_mode == "sync"
    # Under an unknown name verl takes the buffer of its asynchronous modes.
    assert type(ours.replay_buffer) is OrderedReplayBuffer
    assert ours.replay_buffer.poll_interval == 0.2


@pytest.mark.parametrize("coefficient, wanted", [(0.02, True), (0, False)])
def test_entropy_is_computed_only_where_it_is_shaped(made, coefficient, wanted):
    ours = made(f"verl_ext.defaults.entropy_coeff={coefficient}")
    assert ours.shapes_entropy is wanted
    assert ours.config.actor_rollout_ref.actor.calculate_entropy is wanted


def test_estimator_memory_survives_a_checkpoint(made, monkeypatch):
    def load(self):
        self.global_steps = 7

    monkeypatch.setattr(PPOTrainerSync, "_save_checkpoint", lambda self: None)
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", load)
    before = made()
    before.global_steps = 7
    before.memory["ema_grpo"] = {"arithmetic": [0.1, 1 / 3]}
    before._save_checkpoint()
    after = made()
    after._load_checkpoint()
    assert after.memory == before.memory


def test_checkpoint_without_memory_warns(made, monkeypatch, caplog):
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", lambda self: setattr(self, "global_steps", 3))
    made()._load_checkpoint()
    assert trainer.MEMORY_FILE in caplog.text


def test_weights_follow_each_tasks_side_of_its_band(made, monkeypatch):
    """Two rows of a task above its band, one below, one inside; two mini-batches of two prompts, one response each."""
    ours = made(
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.rollout.n=1",
        "verl_ext.defaults.entropy_band=[0.2,0.6]",
        "verl_ext.defaults.entropy_coeff=0.5",
    )
    labels = {"task": ["arithmetic", "arithmetic", "relation", "shape_box"]}
    labels["category"] = ["math_vqa", "math_vqa", "spatial_reasoning", "grounding"]
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 0, 0]])
    entropy = torch.tensor([[1.0, 1, 9], [1, 1, 1], [0.1, 0.1, 0.1], [0.4, 9, 9]])
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(labels[name]) for name in names])
    monkeypatch.setattr(batch_rows, "fetch_tokens", lambda _b, *_names: [mask, entropy])
    weights = ours._entropy_weights(SimpleNamespace(keys=list("abcd")))
    torch.testing.assert_close(weights, torch.tensor([0.5 * 2 / 5, 0.5 * 2 / 5, -0.5 * 2 / 3, 0.0]))


def test_reward_without_labels_names_row_and_remedy(monkeypatch):
    extras = [{"reward_extra_info": {"task": "a"}}, {"reward_extra_info": {}}]
    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", lambda **_: {"extra_fields": extras})
    batch = SimpleNamespace(keys=["u_0_0", "u_1_0"], partition_id="train")
    with pytest.raises(KeyError, match=r"row u_1_0 has no 'task'.*reward_manager"):
        batch_rows.fetch_rewards(batch, "task")
