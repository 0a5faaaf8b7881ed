from __future__ import annotations

import itertools
import math
from statistics import NormalDist

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from verl_ext.ema_grpo import ema_grpo_scores
from verl_ext.g2rpo import G2RPOResult, G2RPOSettings, g2rpo_scores
from verl_ext.g2rpo_gdpo import g2rpo_gdpo_scores
from verl_ext.ranked_rows import rows_with_tokens
from verl_ext.ranking import factorize

STAGE1 = G2RPOSettings(task_map="none")
PUBLISHED = G2RPOSettings(zero_signal="published")


def run(groups: list[list[float]], tasks: list[int] | None = None, **options) -> G2RPOResult:
    """Score a batch given as one list of rewards per group and one task per group."""
    rewards = torch.tensor([r for group in groups for r in group], dtype=torch.float64)
    ids = torch.tensor([g for g, group in enumerate(groups) for _ in group], dtype=torch.long)
    task_N = None if tasks is None else torch.tensor(tasks)[ids]
    return g2rpo_scores(rewards, ids, task_N, **options)


def scores_of(estimator: str, rewards: torch.Tensor, group_N: torch.Tensor, **where: torch.Tensor) -> torch.Tensor:
    """What the estimators share, with one reward part and one task."""
    if estimator == "g2rpo":
        return g2rpo_scores(rewards, group_N, **where).scores_N
    if estimator == "g2rpo_gdpo":
        settings = G2RPOSettings(components={"accuracy": 1.0})
        return g2rpo_gdpo_scores({"accuracy": rewards}, group_N, settings=settings, **where).scores_N
    task_N = torch.zeros_like(group_N)
    return ema_grpo_scores(rewards, group_N, task_N, task_names=["t"], moments={}, **where).scores_N


every_estimator = pytest.mark.parametrize("estimator", ["g2rpo", "g2rpo_gdpo", "ema_grpo"])


def twin_map(values: list[float], epsilon: float) -> list[float]:
    """The map of METHOD's formula, by the textbook: standard library only, one row at a time."""
    places = sorted(range(len(values)), key=values.__getitem__)
    runs: list[list[int]] = []
    for place in places:
        if runs and values[place] - values[runs[-1][-1]] <= epsilon:
            runs[-1].append(place)
        else:
            runs.append([place])
    out, k = [0.0] * len(values), 1
    for tied in runs:
        share = sum(NormalDist().inv_cdf((k + j - 0.5) / len(values)) for j in range(len(tied))) / len(tied)
        for place in tied:
            out[place] = share
        k += len(tied)
    return out


def twin(groups: list[list[float]], tasks: list[int], *, published: bool) -> list[float]:
    stage1 = [twin_map(group, 1e-6) for group in groups]
    flat = [(g, i) for g, group in enumerate(groups) for i in range(len(group))]
    out = {row: 0.0 for row in flat}
    signal = [published or max(scores) - min(scores) > 1e-9 for scores in stage1]
    for task in set(tasks):
        rows = [(g, i) for g, i in flat if tasks[g] == task and signal[g]]
        for row, score in zip(rows, twin_map([stage1[g][i] for g, i in rows], 1e-9), strict=True):
            out[row] = score
    return [out[row] for row in flat]


@pytest.mark.parametrize(
    ("rewards", "expected"),
    [
        ([0, 0, 0, 0, 1], [-0.32, -0.32, -0.32, -0.32, 1.28]),
        ([0, 0, 1, 1, 1], [-0.90, -0.90, 0.60, 0.60, 0.60]),
        ([0.1, 0.1, 0.1, 0.2, 1.0], [-0.60, -0.60, -0.60, 0.52, 1.28]),
        ([0.81, 0.81, 0.82, 0.82, 0.83], [-0.90, -0.90, 0.26, 0.26, 1.28]),
    ],
)
@pytest.mark.parametrize("options", [STAGE1, G2RPOSettings(), PUBLISHED])
def test_figure_2_of_the_paper(rewards, expected, options):
    # One group per task: stage 2 maps the ranks to themselves.
    assert run([rewards], settings=options).scores_N.tolist() == pytest.approx(expected, abs=1e-2)


@pytest.mark.parametrize(("n", "std"), [(2, 0.674), (4, 0.844), (5, 0.876), (8, 0.923), (16, 0.961), (32, 0.980)])
def test_standard_deviation_after_stage_1(n, std):
    scores = run([[float(i) for i in range(n)]], settings=STAGE1).scores_N
    assert scores.std(unbiased=False).item() == pytest.approx(std, abs=6e-4)


def test_standard_deviation_of_one_winner_among_8():
    scores = run([[0] * 7 + [1]], settings=STAGE1).scores_N
    assert scores.std(unbiased=False).item() == pytest.approx(0.580, abs=6e-4)


def test_published_stage_2_pays_a_group_without_signal():
    scores = run([[0] * 7 + [1], [1] * 8], settings=PUBLISHED).scores_N
    assert scores[8:].tolist() == pytest.approx([0.540] * 8, abs=5e-4)


def test_group_without_signal_is_exactly_zero_and_takes_no_rank():
    result = run([[0] * 7 + [1], [1] * 8])
    assert result.scores_N[8:].tolist() == [0.0] * 8
    assert result.scores_N[:8].tolist() == run([[0] * 7 + [1]]).scores_N.tolist()
    assert result.zero_signal_N.tolist() == [False] * 8 + [True] * 8


reward = st.one_of(st.sampled_from([0.0, 0.1, 0.5, 1.0]), st.integers(0, 1000).map(lambda i: i / 1000))
batches = st.lists(st.tuples(st.lists(reward, min_size=1, max_size=9), st.integers(0, 2)), min_size=1, max_size=8)


@settings(deadline=None, max_examples=150)
@given(batch=batches, published=st.booleans())
def test_equals_the_brute_force_twin(batch, published):
    groups, tasks = [list(b[0]) for b in batch], [b[1] for b in batch]
    got = run(groups, tasks, settings=PUBLISHED if published else G2RPOSettings()).scores_N
    assert got.tolist() == pytest.approx(twin(groups, tasks, published=published), abs=1e-6)


@settings(deadline=None, max_examples=75)
@given(batch=batches, recenter=st.booleans(), seed=st.integers(0, 2**31))
def test_permuting_rows_permutes_the_scores(batch, recenter, seed):
    rewards = torch.tensor([r for group, _ in batch for r in group], dtype=torch.float64)
    group_N = torch.tensor([7 - 3 * g for g, (group, _) in enumerate(batch) for _ in group])
    task_N = torch.tensor([task for group, task in batch for _ in group])
    order = torch.randperm(len(rewards), generator=torch.Generator().manual_seed(seed))
    options = G2RPOSettings(recenter=recenter)
    scores = g2rpo_scores(rewards, group_N, task_N, settings=options).scores_N
    permuted = g2rpo_scores(rewards[order], group_N[order], task_N[order], settings=options).scores_N
    torch.testing.assert_close(permuted, scores[order], atol=1e-12, rtol=0)


@settings(deadline=None, max_examples=75)
@given(batch=batches)
def test_better_reward_in_a_group_never_scores_lower(batch):
    groups = [list(b[0]) for b in batch]
    scores = run(groups, [b[1] for b in batch]).scores_N.split([len(group) for group in groups])
    for group, score in zip(groups, scores, strict=True):
        by_reward = [s for _, s in sorted(zip(group, score.tolist(), strict=True))]
        assert all(b >= a - 1e-12 for a, b in itertools.pairwise(by_reward))


@settings(deadline=None, max_examples=75)
@given(base=st.floats(-1, 2), noise=st.lists(st.floats(-1e-7, 1e-7), min_size=2, max_size=16))
def test_float_noise_never_splits_a_tie_wherever_the_values_lie(base, noise):
    result = run([[base + e for e in noise]])
    assert result.zero_signal_N.all()
    assert result.scores_N.tolist() == [0.0] * len(noise)


def test_a_chain_of_small_gaps_is_one_tie():
    chain = [i * 0.9e-6 for i in range(5)]
    assert run([chain]).zero_signal_N.all()
    assert not run([[0.0, 2e-6]]).zero_signal_N.any()


def test_epsilon_zero_splits_every_difference():
    scores = run([[0.5, 0.5 + 1e-9, 0.5]], settings=G2RPOSettings(tie_epsilon=0.0)).scores_N
    assert scores[1] > scores[0] == scores[2]


@pytest.mark.parametrize("options", [G2RPOSettings(), PUBLISHED, STAGE1, G2RPOSettings(recenter=True)])
def test_group_of_one_scores_zero(options):
    result = run([[0.7]], settings=options)
    assert result.scores_N.tolist() == [0.0]
    assert result.zero_signal_N.tolist() == [True]


def test_groups_of_one_take_no_rank_from_others():
    groups = [[0.0, 1.0, 1.0], [0.3], [0.9]]
    assert run(groups).scores_N[:3].tolist() == run(groups[:1]).scores_N.tolist()


def test_batch_where_nothing_carries_signal():
    assert run([[1.0, 1.0], [0.0, 0.0, 0.0]], [0, 1]).scores_N.tolist() == [0.0] * 5


def test_empty_batch():
    result = g2rpo_scores(torch.zeros(0), torch.zeros(0, dtype=torch.long))
    assert result.scores_N.shape == (0,)


@every_estimator
def test_padding_rows_take_no_rank_and_may_hold_anything(estimator):
    rewards = torch.tensor([0.0, float("nan"), 1.0, 0.5, -9.0])
    group_N = torch.tensor([0, 0, 0, 0, 5])
    valid_N = torch.tensor([True, False, True, True, False])
    scores = scores_of(estimator, rewards, group_N, valid_N=valid_N)
    assert scores[valid_N].tolist() == scores_of(estimator, rewards[valid_N], group_N[valid_N]).tolist()
    assert scores[~valid_N].tolist() == [0.0, 0.0]
    if estimator == "g2rpo":
        assert not g2rpo_scores(rewards, group_N, valid_N=valid_N).zero_signal_N[~valid_N].any()


def test_tasks_are_mapped_apart_to_standard_normal_scores():
    generator = torch.Generator().manual_seed(0)
    group_N = torch.arange(400).repeat_interleave(8)
    task_N = group_N % 2
    rewards = torch.where(task_N == 0, 0.001, 100.0) * torch.rand(3200, generator=generator)
    scores = g2rpo_scores(rewards, group_N, task_N).scores_N
    for task in (0, 1):
        assert scores[task_N == task].mean().item() == pytest.approx(0, abs=1e-9)
        # 8 distinct stage-1 values shared by all groups: the deviation between 8 bins of N(0, 1).
        assert scores[task_N == task].std().item() == pytest.approx(0.973, abs=1e-3)


def test_recentring_restores_the_zero_mean_of_groups():
    groups = [[0] * 7 + [1], [0] + [1] * 7, [0.5] * 8]
    shifted, centred = run(groups), run(groups, settings=G2RPOSettings(recenter=True))
    shifted_G, centred_G = (result.scores_N.view(3, 8).mean(1).tolist() for result in (shifted, centred))
    assert shifted_G == pytest.approx([-0.317, 0.317, 0], abs=1e-3)
    assert centred_G == pytest.approx([0, 0, 0], abs=1e-12)
    assert centred.scores_N[-8:].tolist() == [0.0] * 8


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_low_precision_rewards_give_the_same_scores(dtype):
    levels = torch.tensor([0.0, 0.125, 0.25, 0.5, 1.0], dtype=torch.float64)
    rewards = levels[torch.randint(5, (240,), generator=torch.Generator().manual_seed(1))]
    group_N = torch.arange(240) // 8
    exact = g2rpo_scores(rewards, group_N).scores_N
    torch.testing.assert_close(g2rpo_scores(rewards.to(dtype), group_N).scores_N, exact, atol=1e-3, rtol=0)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_rewards_that_have_no_rank_are_an_error_naming_the_rows(bad):
    rewards = torch.tensor([bad if i in range(2, 9) else 0.5 for i in range(12)])
    with pytest.raises(ValueError, match=r"^7 reward.*row 2: .*row 6: .*\.\.\.") as error:
        g2rpo_scores(rewards, torch.zeros(12, dtype=torch.long))
    assert "row 7" not in str(error.value)


def test_mismatched_shapes_are_an_error():
    with pytest.raises(ValueError, match="task_N"):
        g2rpo_scores(torch.zeros(4), torch.zeros(4, dtype=torch.long), torch.zeros(3, dtype=torch.long))
    with pytest.raises(ValueError, match="one scalar per row"):
        g2rpo_scores(torch.zeros(4, 2), torch.zeros(4, dtype=torch.long))


@pytest.mark.parametrize(
    "options",
    [
        {"zero_signal": "none"},
        {"task_map": "ema"},
        {"group_map": "none"},
        {"plotting_position": "weibull"},
        {"unit_variance": "batch"},
        {"clip": 0.0},
    ],
)
def test_unknown_settings_are_an_error(options):
    with pytest.raises(ValueError, match=next(iter(options))):
        G2RPOSettings(**options)


@pytest.mark.parametrize("options", [{"tie_epsilon": -1.0}, {"task_tie_epsilon": {"point_to": float("nan")}}])
def test_a_negative_epsilon_is_an_error(options):
    with pytest.raises(ValueError, match="must be 0 or more"):
        G2RPOSettings(**options)


@every_estimator
def test_a_session_is_ranked_once_by_its_final_row(estimator):
    rewards = torch.tensor([0.0, 1.0, 0.2, 0.9, 0.4, 7.0])
    session_N = torch.tensor([0, 0, 1, 2, 2, 3])
    final_N = torch.tensor([False, True, True, False, True, True])
    valid_N = torch.tensor([True] * 5 + [False])
    group_N = torch.zeros(6, dtype=torch.long)
    scores = scores_of(estimator, rewards, group_N, valid_N=valid_N, session_N=session_N, final_N=final_N)
    high, low, middle = scores_of(estimator, torch.tensor([1.0, 0.2, 0.4]), group_N[:3]).tolist()
    assert scores.tolist() == [high, high, low, middle, middle, 0.0]


@every_estimator
def test_a_session_whose_last_output_was_rejected_takes_no_rank(estimator):
    """verl masks all tokens of a rejected output; the outputs before it keep theirs."""
    rewards, session_N = torch.tensor([0.0, 1.0, 0.2, 0.4]), torch.tensor([0, 0, 1, 2])
    final_N, valid_N = torch.tensor([False, True, True, True]), torch.tensor([True, False, True, True])
    group_N = torch.zeros(4, dtype=torch.long)
    scores = scores_of(estimator, rewards, group_N, valid_N=valid_N, session_N=session_N, final_N=final_N)
    assert scores.tolist() == [0.0, 0.0, *scores_of(estimator, torch.tensor([0.2, 0.4]), group_N[:2]).tolist()]


def test_a_session_without_a_final_row_is_an_error():
    ids = torch.zeros(3, dtype=torch.long)
    with pytest.raises(ValueError, match="final_N"):
        g2rpo_scores(torch.rand(3), ids, session_N=ids, final_N=ids.bool())
    with pytest.raises(ValueError, match="final_N"):
        g2rpo_scores(torch.rand(3), ids, session_N=ids)


@pytest.mark.parametrize("ids", [[-5, -5, 10**12, 3], [0, 0, 1, 2]])
def test_sessions_may_have_any_integer_ids(ids):
    final_N = torch.tensor([False, True, True, True])
    group_N = torch.zeros(4, dtype=torch.long)
    result = g2rpo_scores(torch.tensor([9.0, 0.3, 0.1, 0.2]), group_N, session_N=torch.tensor(ids), final_N=final_N)
    high, low, middle = run([[0.3, 0.1, 0.2]]).scores_N.tolist()
    assert result.scores_N.tolist() == [high, high, low, middle]


@pytest.mark.parametrize("dtype", [torch.bool, torch.int64, torch.float32])
def test_rows_with_tokens_are_those_whose_mask_is_not_all_zero(dtype):
    mask = torch.tensor([[1, 1, 0], [0, 0, 0], [0, 1, 1], [0, 0, 1]]).to(dtype)
    assert rows_with_tokens(mask).tolist() == [True, False, True, True]
    assert rows_with_tokens(mask[:1]).tolist() == [True]
    assert rows_with_tokens(mask[:, :0]).tolist() == [False] * 4


def test_labels_of_any_kind_become_ids():
    ids, names = factorize(["b", "a", "b", ("c", 1), 3])
    assert ids.tolist() == [0, 1, 0, 2, 3]
    assert names == ["b", "a", ("c", 1), 3]
    assert factorize([])[0].dtype == torch.long


def test_a_million_rows_in_one_group_need_no_quadratic_memory():
    rewards = torch.arange(1_000_000, dtype=torch.float64)
    scores = g2rpo_scores(rewards, torch.zeros(1_000_000, dtype=torch.long)).scores_N
    assert scores.std().item() == pytest.approx(1, abs=1e-3)
    assert (scores.diff() > 0).all()
