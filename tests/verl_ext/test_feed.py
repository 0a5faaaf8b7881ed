"""What the trainers' feeding part adds round verl's own steps, without Ray."""

from types import SimpleNamespace

import numpy as np
import pytest
import verl  # noqa: F401
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.trainer.ppo.v1 import get_trainer_cls
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from verl_ext import batch_rows, feed
from verl_ext.sampler import SamplingSettings, TaskSampler

ROWS = [{"task": "big", "index": row} for row in range(10)] + [{"task": "small", "index": row} for row in range(3)]
KEYS = [f"000001-{prompt:06d}_{session}_0" for prompt in range(2) for session in range(2)]


class Data(list):
    """Of verl's dataset class: rows, and the table that they come from."""

    dataframe = {"extra_info": ROWS, "data_source": ["own"] * len(ROWS)}  # noqa: RUF012


@pytest.fixture
def made(compose_config, tmp_path, monkeypatch):
    def init_dataloader(self):
        self.train_dataset = Data(ROWS)
        workers = self.config.data.dataloader_num_workers
        self.train_dataloader = StatefulDataLoader(
            self.train_dataset, batch_size=4, drop_last=True, collate_fn=list, num_workers=workers
        )

    def step(self, _metrics, _timing):
        self.group_filter.judge("big", [0, 0])
        return SimpleNamespace(keys=KEYS, tags=[{}] * 4, partition_id="train")

    results = {"task": ["big", "big", "small", "small"], "accuracy": [1.0, 1.0, 0.0, 1.0]}
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(results[name]) for name in names])
    monkeypatch.setattr(PPOTrainerSync, "_init_dataloader", init_dataloader)
    monkeypatch.setattr(PPOTrainerSync, "step", step)

    def make(*overrides):
        config = compose_config(
            *("+machine=cpu", "actor_rollout_ref.model.path=none", "data.train_batch_size=4"),
            *(f"trainer.default_local_dir={tmp_path}", *overrides),
        )
        trainer = get_trainer_cls("verl_ext_sync")(config)
        trainer._init_dataloader()
        return trainer

    return make


def tasks_of(loader):
    return [[row["task"] for row in batch] for batch in loader]


def test_verls_loader_is_kept_without_sampling(made):
    trainer = made()
    assert trainer.sampler is None
    assert tasks_of(trainer.train_dataloader)[0] == ["big"] * 4


def test_loader_follows_the_weights_and_keeps_verls_settings(made):
    trainer = made("verl_ext.sampling.base=equal")
    batches = tasks_of(trainer.train_dataloader)
    assert [batch.count("small") for batch in batches] == [2, 2, 2], "a thirteenth row makes no batch"
    assert made("verl_ext.sampling.base=equal", "data.dataloader_num_workers=3").train_dataloader.num_workers == 3


@pytest.mark.parametrize("seed", [0, 3])
def test_the_seed_of_the_data_decides_the_order(made, seed):
    trainer = made("verl_ext.sampling.base=equal", f"data.seed={seed}")
    tasks = [row["task"] for row in ROWS]
    expected = list(TaskSampler(tasks, SamplingSettings(base="equal"), seed=seed))
    assert [row for batch in trainer.train_dataloader for row in batch] == [ROWS[row] for row in expected[:12]]


def test_a_step_learns_need_before_its_checkpoint_and_reports_what_was_dropped(made):
    trainer = made("verl_ext.sampling.base=equal", "verl_ext.sampling.by_need=true")
    metrics = {}
    trainer.step(metrics, {})
    # big: one group dropped and one whose accuracies tie; small: one group with signal.
    assert trainer.sampler.zero_share == {"big": 1.0, "small": 0.0}
    assert metrics["filter/big/too_hard"] == 1.0
    assert metrics["sampling/small/share"] == pytest.approx(0.8)
    assert trainer.sampler.state_dict()["zero_share"] == trainer.sampler.zero_share
    assert not trainer.group_filter.judged


def test_the_sampler_names_tasks_as_the_reward_does():
    extra = [None, {"task": "RefCOCO+"}, {"task": "refcoco+"}, {"index": 3}, {"task": "new"}]
    rows = {"data_source": ["lmms-lab/DocVQA", "a", "b", "own/thing", "own"], "extra_info": extra}
    assert feed._tasks(rows) == ["docvqa", "refcoco+", "refcoco+", "own/thing", "new"]
