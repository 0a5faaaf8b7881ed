from __future__ import annotations

import json
import random
from statistics import mean, pstdev

import pytest
import torch

from verl_ext.ema_grpo import EmaResult, EmaSettings, ema_grpo_scores
from verl_ext.ranking import factorize

Batch = list[tuple[str, list[float]]]


def run(batch: Batch, moments: dict | None = None, **options) -> EmaResult:
    """Score a batch given as (task, rewards) per group."""
    rewards = torch.tensor([r for _, group in batch for r in group], dtype=torch.float64)
    group_N = torch.tensor([g for g, (_, group) in enumerate(batch) for _ in group])
    task_N, names = factorize([task for task, group in batch for _ in group])
    return ema_grpo_scores(
        rewards, group_N, task_N, task_names=names, moments=moments or {}, settings=EmaSettings(**options)
    )


def twin(steps: list[Batch]) -> list[float]:
    """The last step's advantages, written down a second time in plain Python."""
    state: dict[str, list[float]] = {}
    out: list[float] = []
    for batch in steps:
        for task in {task for task, _ in batch}:
            values = [r for name, group in batch if name == task for r in group]
            now = [mean(values), mean(v * v for v in values)]
            old = state.setdefault(task, now)
            state[task] = [0.99 * a + 0.01 * b for a, b in zip(old, now, strict=True)]
        out = []
        for task, group in batch:
            m1, m2 = state[task]
            std = max(m2 - m1**2, 1e-6) ** 0.5
            scaled = [(r - mean(group)) / (std + 1e-6) for r in group]
            if any(abs(value) > 5 for value in scaled):
                scaled = [(r - mean(group)) / (pstdev(group) + 1e-6) for r in group]
            out += scaled
    return out


def test_equals_the_twin_over_several_steps():
    dice = random.Random(0)
    steps: list[Batch] = [
        [(dice.choice(["math", "OCR", "point"]), [dice.choice([0, 0.25, 1.0]) for _ in range(6)]) for _ in range(9)]
        for _ in range(4)
    ]
    # A task that hardly varies, so that one group passes the guard.
    steps[-1] += [("point", [0, 0, 0, 0, 0, 40.0])]
    moments: dict = {}
    for batch in steps:
        before, result = moments, run(batch, moments)
        moments = dict(result.moments)
    same = result.scores_N == run(steps[-1], before, guard=1e9).scores_N
    assert same.any() and not same.all()  # the guard was at work, and not everywhere
    assert result.scores_N.tolist() == pytest.approx(twin(steps), abs=1e-6)


def test_figure_2_of_the_paper():
    # Moments with standard deviation 0.156; the batch's own share of them is 0 at decay just below 1.
    scores = run([("t", [0.1, 0.1, 0.1, 0.2, 1.0])], {"t": (0.0, 0.156**2)}, decay=1 - 1e-12).scores_N
    assert scores.tolist() == pytest.approx([-1.28, -1.28, -1.28, -0.64, 4.49], abs=1e-2)


def test_the_first_batch_initialises_the_moments_and_is_seen_before_use():
    result = run([("t", [0.0, 1.0]), ("t", [1.0, 1.0])])
    assert result.moments["t"] == pytest.approx((0.75, 0.75))
    assert result.scores_N[1].item() == pytest.approx(0.5 / (0.1875**0.5 + 1e-6))


def test_moments_move_by_a_hundredth_and_absent_tasks_stay():
    before = {"t": (0.5, 0.5), "other": (0.1, 0.2)}
    result = run([("t", [1.0, 1.0])], before)
    assert result.moments["t"] == pytest.approx((0.505, 0.505))
    assert result.moments["other"] == (0.1, 0.2)
    assert before["t"] == (0.5, 0.5)


def test_resuming_from_json_gives_the_same_bits():
    first = run([("t", [0.1, 0.7, 0.3]), ("u", [0.2, 0.9, 0.9])]).moments
    restored = {task: tuple(pair) for task, pair in json.loads(json.dumps(first)).items()}
    batch: Batch = [("t", [0.3, 0.4, 0.9]), ("u", [0.1, 0.1, 0.8])]
    again, straight = run(batch, restored), run(batch, first)
    assert again.scores_N.tolist() == straight.scores_N.tolist()
    assert again.moments == straight.moments


def test_groups_that_tie_and_groups_of_one_score_exactly_zero():
    result = run([("t", [0.3, 0.3 + 1e-8, 0.3]), ("t", [0.9]), ("t", [0.0, 1.0])])
    assert result.scores_N[:4].tolist() == [0.0] * 4
    assert result.scores_N[4:].abs().min() > 0


def test_padding_rows_touch_neither_scores_nor_moments():
    rewards, ids = torch.tensor([0.0, 1.0, 50.0]), torch.zeros(3, dtype=torch.long)
    valid_N = torch.tensor([True, True, False])
    result = ema_grpo_scores(rewards, ids, ids, task_names=["t"], moments={}, valid_N=valid_N)
    assert result.moments["t"] == pytest.approx((0.5, 0.5))
    assert result.scores_N[2] == 0.0


def test_the_floor_bounds_the_magnification():
    result = run([("t", [0.0, 1e-5])])
    assert result.scores_N.tolist() == pytest.approx([-0.005 / 1.001, 0.005 / 1.001], rel=1e-6)


@pytest.mark.parametrize(
    "options", [{"decay": 1.0}, {"decay": -0.1}, {"floor": 0.0}, {"guard": 0}, {"tie_epsilon": -1}]
)
def test_settings_out_of_range_are_an_error(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        EmaSettings(**options)


def test_nan_rewards_are_an_error_naming_the_row():
    with pytest.raises(ValueError, match="row 1"):
        run([("t", [0.0, float("nan")])])
