"""What the trainer reads of a batch and hands on, over a queue that is a dict: no field stands for another."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync

from verl_ext import batch_labels, batch_rows
from verl_ext.loss import ENTROPY_WEIGHT
from verl_ext.run_log import read
from verl_ext.trainer import REWARD_PARTS

KEYS = ["u0_0_0", "u0_0_1", "u0_1_0", "u1_0_0", "u1_1_0", "pad_0_0"]
"""Two outputs of one session, three of one output each, and a row that only pads the batch."""
TOKENS = [1, 2, 3, 4, 5, 6]
TASK = ["arithmetic"] * 3 + ["field_read"] * 2 + ["arithmetic"]
CATEGORY = ["math_vqa"] * 3 + ["document"] * 2 + ["math_vqa"]
TYPE = ["numerical"] * 3 + ["text"] * 2 + ["numerical"]
PARTS = {name: [at + row / 10 for row in range(6)] for at, name in enumerate((*REWARD_PARTS, "score"), start=1)}
TRUNCATED = [False] * 4 + [True, False]


@pytest.fixture
def batch(monkeypatch):
    columns = {"task": TASK, "category": CATEGORY, "problem_type": TYPE, "truncated": TRUNCATED, **PARTS}
    columns |= {"length_tokens": [70.0] * 6, "verifier_timeouts": [1.0] * 6}
    results = [dict(zip(columns, row, strict=True)) for row in zip(*columns.values(), strict=True)]
    mask = (torch.arange(6) < torch.tensor(TOKENS)[:, None]).long()
    row = torch.arange(1.0, 7.0)[:, None]
    store = {
        "extra_fields": [{"reward_extra_info": result} for result in results],
        "rm_scores": torch.nested.as_nested_tensor([torch.zeros(n) for n in TOKENS], layout=torch.jagged),
        "response_mask": mask,
        "advantages": row * mask,
        "entropy": row * mask / 10,
    }

    def get(keys, partition_id, select_fields):
        assert (keys, partition_id) == (KEYS, "train")
        return {name: store[name] for name in select_fields}

    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", get)

    def put(keys, partition_id, fields):
        store.update(fields)
        return meta()

    def meta():
        tags = [{}] * 5 + [{"is_padding": True}]
        return SimpleNamespace(keys=KEYS, partition_id="train", tags=tags, fields=list(store))

    monkeypatch.setattr(batch_rows.tq, "kv_batch_put", put)
    return meta()


def test_every_field_of_a_batch_has_its_place(batch):
    rows = batch_rows.fetch_rows(batch)
    expected = {
        "task": TASK,
        "category": CATEGORY,
        "group": ["u0", "u0", "u0", "u1", "u1", "pad"],
        "tokens": TOKENS,
        "truncated": TRUNCATED,
        "accuracy": PARTS["accuracy"],
        "format": PARTS["format"],
        "structure": PARTS["structure"],
        "length": PARTS["length"],
        "reward": PARTS["score"],
        "advantage": [1, 2, 3, 4, 5, 6],
        "valid": [True] * 5 + [False],
        "final": [False] + [True] * 5,
    }
    assert {name: getattr(rows, name).tolist() for name in expected} == expected
    np.testing.assert_allclose(rows.entropy_sum, [0.1, 0.4, 0.9, 1.6, 2.5, 3.6], rtol=1e-6)


@pytest.fixture
def handed_on(monkeypatch):
    """Labels that the estimator finds when verl calls it, one entry a call."""
    found = []

    def compute(self, batch, metrics):
        found.append(batch_labels.current(6))
        return batch

    monkeypatch.setattr(PPOTrainerSync, "_compute_advantage", compute)
    return found


@pytest.mark.parametrize("name, column", [("task", TASK), ("category", CATEGORY), ("problem_type", TYPE)])
def test_the_estimator_gets_labels_parts_and_memory(made, batch, handed_on, name, column):
    ours = made(f"verl_ext.task_label={name}")
    ours.global_steps = 1
    ours._compute_advantage(batch, {})
    (labels,) = handed_on
    assert labels.task.tolist() == column
    assert labels.session.tolist() == ["u0_0", "u0_0", "u0_1", "u1_0", "u1_1", "pad_0"]
    assert labels.final.tolist() == [False] + [True] * 5
    assert {part: values.tolist() for part, values in labels.parts.items()} == {n: PARTS[n] for n in REWARD_PARTS}
    assert labels.memory is ours.memory
    assert batch_labels.current(6) is None, "the next batch has its own"


def test_entropy_weights_see_the_tokens_that_verl_keeps(made, batch, monkeypatch):
    """Rejection sampling, in verl's own part of this step, takes the only two tokens of a row out."""

    def reject(self, batch, metrics):
        fields = batch_rows.tq.kv_batch_get(KEYS, "train", ["response_mask"])
        fields["response_mask"][1] = 0
        return batch

    monkeypatch.setattr(PPOTrainerSync, "_compute_advantage", reject)
    ours = made(
        *("~verl_ext.tasks", "verl_ext.defaults.entropy_control=fixed", "verl_ext.defaults.entropy_coeff=0.5"),
        *("verl_ext.defaults.entropy_band=[0,0.1]", "actor_rollout_ref.actor.ppo_mini_batch_size=64"),
    )
    ours.global_steps = 1
    assert ENTROPY_WEIGHT in ours._compute_advantage(batch, {}).fields, "the update fetches no others"
    weights = batch_rows.tq.kv_batch_get(KEYS, "train", [ENTROPY_WEIGHT])[ENTROPY_WEIGHT].squeeze(-1)
    arithmetic, field_read = 0.5 / (1 + 3 + 6), 0.5 / (4 + 5)
    torch.testing.assert_close(weights, torch.tensor([arithmetic, 0, arithmetic, field_read, field_read, arithmetic]))


def test_lengths_are_judged_anew_before_the_estimator_sees_them(made, batch, handed_on, monkeypatch):
    """70 tokens lie on the plateau of the envelope in force, and below that of the static one."""
    ours = made(
        *("verl_ext.defaults.envelope_mode=auto", "++verl_ext.tasks.field_read.envelope_mode=static"),
        "++verl_ext.categories.math_vqa.envelope=[0,80,90,96]",
    )
    ours.global_steps = 1
    ours.memory["envelopes"] = {"arithmetic/math_vqa": {"lengths": [60], "bounds": [40.0, 60.0, 90.0, 96.0]}}
    monkeypatch.setattr(PPOTrainerSync, "step", lambda self, metrics, _timing: self._compute_advantage(batch, metrics))
    ours.step(metrics := {}, {})
    assert handed_on[0].parts["length"].tolist() == [1.0, 1.0, 1.0, 4.3, 4.4, 4.5]
    assert metrics["task/arithmetic/envelope/peak_start"] == 60.0
    assert ours.memory["envelopes"]["arithmetic/math_vqa"]["lengths"] == [60, 70, 70]


def test_metrics_of_a_step_follow_its_settings(made, batch, monkeypatch):
    monkeypatch.setattr(PPOTrainerSync, "_compute_metrics", lambda *_args, **_kwargs: None)
    ours = made(
        *("data.train_batch_size=4", "actor_rollout_ref.actor.ppo_mini_batch_size=4", "actor_rollout_ref.rollout.n=2"),
        *("actor_rollout_ref.actor.loss_agg_mode=token-mean", "algorithm.g2rpo.tie_epsilon=0.2"),
        "verl_ext.tasks.field_read.entropy_band=[0.4,0.5]",
    )
    ours.run_log.open(resume_step=2)
    ours._compute_metrics(batch, metrics := {}, {}, global_steps=3, epoch=0)
    assert metrics["training/missing_responses"] == 4.0, "of 8 one is there for each of the four sessions"
    assert metrics["task/field_read/gradient_weight_share"] == pytest.approx((4 * 4 + 5 * 5) / (1 + 4 + 9 + 16 + 25))
    assert metrics["task/field_read/zero_signal_groups"] == 1.0, "5.3 and 5.4 tie"
    assert metrics["task/field_read/entropy_in_band"] == 1.0
    assert metrics["reward/verifier_timeouts"] == 5.0
    (entry,) = read(ours.run_log.path)
    assert entry["step"] == 3 and entry.items() >= metrics.items()
    assert sum(entry["task/field_read/advantage/hist"]["counts"]) == 2
