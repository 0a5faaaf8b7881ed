"""What the evidence says of the estimators holds on any seed, and recorded rewards are read as they were stored."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evidence"))
import advantages
import entropy_toy
import reward_batches
from advantage_tables import agreement_table, direction_table
from advantages import ESTIMATORS, Source

from reward_fns.box import verify_box
from reward_fns.number import verify_relaxed
from reward_fns.point import verify_point

SYNTHETIC = Source("synthetic", [reward_batches.synthetic(1, 2)])
OURS = ("G2RPO", "G2RPO, GDPO form")
RANKS = (*OURS, "G2RPO, as published")


@pytest.fixture(scope="module")
def values():
    return {name: SYNTHETIC.advantages(one) for name, one in ESTIMATORS.items()}


@pytest.mark.parametrize("name", ESTIMATORS)
def test_every_estimator_gives_every_response_a_number(values, name):
    assert values[name].shape == SYNTHETIC.task.shape
    assert np.isfinite(values[name]).all() and values[name].std() > 0.1


@pytest.mark.parametrize("name", RANKS)
@pytest.mark.parametrize("kind", ["scale", "outliers"])
def test_a_spoilt_task_changes_no_other_tasks_advantage(values, name, kind):
    task = "binary, 50 % right"
    after = SYNTHETIC.changed(lambda batch: reward_batches.spoilt(batch, task, kind, 0)).advantages(ESTIMATORS[name])
    others = SYNTHETIC.task != task
    assert (after[others] == values[name][others]).all()
    assert kind == "scale" or (after[~others] != values[name][~others]).any()


def test_without_division_a_task_ten_times_as_large_weighs_ten_times_as_much(values):
    rows = advantages.spoilt_table(SYNTHETIC, {"Dr.GRPO": values["Dr.GRPO"]}, "scale", 0)
    assert "| Dr.GRPO | 0 | 10.00 (10.00 to 10.00) |" in rows[2]


def test_groups_without_signal_get_zero_from_ours_and_a_push_from_the_published_form(values):
    zero = SYNTHETIC.zero_signal
    assert 0.05 < zero.mean() < 0.5
    assert all((values[name][zero] == 0).all() for name in OURS)
    assert np.abs(values["G2RPO, as published"][zero]).mean() > 0.05


def test_float_noise_splits_no_ties_of_ours(values):
    rng = np.random.default_rng(0)
    noisy = SYNTHETIC.changed(lambda batch: reward_batches.add_noise(batch, 1e-7, rng))
    assert np.corrcoef(noisy.advantages(ESTIMATORS["G2RPO"]), values["G2RPO"])[0, 1] > 0.999


def test_agreement_of_a_scaled_and_of_a_turned_copy(values):
    signal = ~SYNTHETIC.zero_signal
    twins = {"GRPO": values["GRPO"], "like": 5 * values["GRPO"], "against": -values["GRPO"]}
    _, _, _, like, against, *_ = agreement_table(twins, SYNTHETIC.task, SYNTHETIC.score, signal)
    assert like.startswith("| like | 1.000 | 1.000") and like.endswith("| 0.0 % | 0.0 % | 0.0 % |")
    assert against.startswith("| against | -1.000 | -1.000") and against.endswith("| 100.0 % | 100.0 % | 100.0 % |")


def test_pooled_ranks_push_the_best_of_some_groups_down_and_a_zero_mean_of_none(values):
    signal, by_group = ~SYNTHETIC.zero_signal, SYNTHETIC.score.reshape(-1, reward_batches.RESPONSES)
    best = (by_group >= by_group.max(1, keepdims=True) - 1e-6).reshape(-1) & signal
    assert 0.02 < (values["G2RPO"][best] < 0).mean() < 0.2
    for estimator in advantages.ZERO_MEAN.values():
        assert (SYNTHETIC.advantages(estimator)[best] > 0).all()


def test_direction_of_the_verdict_itself_of_its_opposite_and_of_none(values):
    right = SYNTHETIC.right
    by_group = right.reshape(-1, reward_batches.RESPONSES)
    wanted = (by_group - by_group.mean(1, keepdims=True)).reshape(-1)
    rows = direction_table({"like": 3 * wanted, "against": -wanted, "none": 0 * wanted}, SYNTHETIC.task, right)
    like, against, none = (row.split(" | ")[1:] for row in rows[2:5])
    assert like[-1] == "1.000 |" and set(like[:-1]) <= {"1.00", "–"}
    assert against[-1] == "-1.000 |" and none[-1] == "nan |"


# From wrong to exact: a box of 100 that moves, a point that enters, a number that nears.
ANSWERS = {
    "box": (
        verify_box,
        [100, 100, 200, 200],
        [f'{{"boxes": [{100 + at}, 100, {200 + at}, 200]}}' for at in range(99)],
    ),
    "point": (
        verify_point,
        {"size": [100, 100], "counts": [5000, 5000]},
        [f'{{"point_2d": [{at}, 500]}}' for at in range(0, 1000, 9)],
    ),
    "number": (verify_relaxed, "100", [str(90 + at / 10) for at in range(200)]),
}


@pytest.mark.parametrize("kind", ANSWERS)
def test_right_is_the_official_verdict(kind):
    verify, truth, answers = ANSWERS[kind]
    verdicts = [verify(answer, truth, {}) for answer in answers]
    accuracy = np.array([verdict.reward for verdict in verdicts])
    batch = reward_batches.Batch(np.full(len(accuracy), kind), accuracy, {"accuracy": accuracy}, np.ones(len(accuracy)))
    official = [verdict.official == 1 for verdict in verdicts]
    assert 5 < sum(official) < len(official) - 5
    assert batch.right.tolist() == official


def rewards(task, count):
    return [[task, 0.1 + at / 10, at / 10, 1.0, 0.0, 5] for at in range(count)]


def stored(path, steps):
    path.write_bytes(gzip.compress(json.dumps({"rewards": steps}).encode()))
    return path


def test_recorded_rewards_come_in_the_order_of_the_steps(tmp_path):
    path = stored(tmp_path / "grpo-0.json.gz", {"10": rewards("b", 8), "9": rewards("a", 8) + rewards("c", 8)})
    first, second = reward_batches.recorded(path)
    assert [len(first.task), len(second.task), first.task[-1], second.task[0]] == [16, 8, "c", "b"]
    assert second.score[3] == pytest.approx(0.4) and second.parts["accuracy"][3] == pytest.approx(0.3)


@pytest.mark.parametrize("rows", [rewards("a", 7), rewards("a", 7) + rewards("b", 9)])
def test_rewards_of_torn_groups_are_refused(tmp_path, rows):
    with pytest.raises(ValueError, match=r"step 3: \d+ rewards are no whole groups of 8"):
        reward_batches.recorded(stored(tmp_path / "grpo-0.json.gz", {"3": rows}))


def test_the_command_writes_tables_of_both_origins_and_a_figure(tmp_path, monkeypatch):
    path = stored(tmp_path / "grpo-0.json.gz", {"1": rewards("a", 8) + rewards("b", 8)})
    arguments = ["--steps", "1", "--out", str(tmp_path), "--rewards", str(path)]
    monkeypatch.setattr(sys, "argv", ["advantages.py", *arguments])
    monkeypatch.setattr(reward_batches, "PROMPTS", 2)
    advantages.main()
    text = (tmp_path / "advantages.md").read_text()
    for wanted in (
        "Recorded rewards: grpo-0.json.gz",
        "## Synthetic rewards: 128 responses",
        "## Recorded rewards: 16 ",
    ):
        assert wanted in text
    assert (tmp_path / "advantages.png").stat().st_size > 10_000


@pytest.mark.parametrize("policy", entropy_toy.POLICIES)
def test_only_the_true_entropy_falls_above_the_band(policy):
    logits = torch.tensor(entropy_toy.POLICIES[policy], dtype=torch.float64, requires_grad=True)
    assert entropy_toy.entropy(logits) > entropy_toy.HIGH
    ours = torch.autograd.grad(entropy_toy.entropy(logits), logits)[0]
    assert entropy_toy.change(logits, ours) < 0
    assert all(entropy_toy.change(logits, entropy_toy.published(logits, n)) > 0 for n in entropy_toy.TOKENS)
