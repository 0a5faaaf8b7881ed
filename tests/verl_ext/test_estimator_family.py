"""Every setting of the estimator family against a formula written down a second time, in plain Python."""

from __future__ import annotations

import math
from collections.abc import Callable
from statistics import NormalDist, mean, pstdev, stdev

import pytest
import torch
from verl.trainer.ppo import core_algos

from verl_ext.g2rpo import G2RPOSettings, g2rpo_scores
from verl_ext.g2rpo_gdpo import g2rpo_gdpo_scores
from verl_ext.stages import GROUP_MAPS, TASK_MAPS

Groups = list[list[float]]
# Rewards per group: one winner, no signal, ties, distinct values, unequal sizes, a group of one.
BATCH: Groups = [
    [0, 0, 0, 0, 0, 0, 0, 1],
    [1, 1, 1, 1, 1, 1, 1, 1],
    [0.1, 0.9, 0.4, 0.4, 0.65, 1.1, 0.0],
    [0.2, 0.8],
    [0.5],
    [0.0, 0.1, 0.2, 0.35, 0.5, 0.6, 0.8, 1.0],
    [1, 1, 1, 0, 1, 1, 0, 1],
    [0.3, 0.3, 0.3],
]
TASKS = [0, 0, 0, 0, 1, 1, 1, 2]


def phi(p: float) -> float:
    return NormalDist().inv_cdf(p)


def ranks(values: list[float], offset: float = 0.5) -> list[float]:
    """Gaussian map: a value's quantiles are those of the places that its equals take in sorted order."""
    places = sorted(round(value, 9) for value in values)
    n = len(values)
    quantiles = [phi((k - offset) / (n + 1 - 2 * offset)) for k in range(1, n + 1)]
    return [mean(q for q, place in zip(quantiles, places, strict=True) if place == round(v, 9)) for v in values]


def per_group(formula: Callable[[list[float]], list[float]]) -> Groups:
    """Stage 1 with groups that carry no signal at 0."""
    return [formula(group) if len(set(group)) > 1 else [0.0] * len(group) for group in BATCH]


def per_task(scores: Groups, formula: Callable[[list[float]], list[float]], *, everyone: bool = False) -> Groups:
    """Stage 2 over the pooled scores of every task."""
    out = [list(group) for group in scores]
    for task in set(TASKS):
        chosen = [g for g, group in enumerate(BATCH) if TASKS[g] == task and (everyone or len(set(group)) > 1)]
        mapped = iter(formula([score for g in chosen for score in scores[g]]) if chosen else [])
        for g in chosen:
            out[g] = [next(mapped) for _ in out[g]]
    return out


def centred(values: list[float]) -> list[float]:
    return [value - mean(values) for value in values]


def over(values: list[float], deviation: float) -> list[float]:
    return [value / deviation for value in values]


def grpo(group: list[float], deviation: Callable[[list[float]], float]) -> list[float]:
    return over(centred(group), deviation(group) + 1e-6)


GAUSSIAN = per_group(ranks)
TWO_STAGE = per_task(GAUSSIAN, ranks)
NO_TASK = {"task_map": "none"}
PARITY: list[tuple[str, dict, Groups]] = [
    ("GRPO, population std (paper)", {"group_map": "zscore", **NO_TASK}, per_group(lambda g: grpo(g, pstdev))),
    ("GRPO, sample std (verl)", {"group_map": "zscore_sample", **NO_TASK}, per_group(lambda g: grpo(g, stdev))),
    ("Dr.GRPO", {"group_map": "centre", **NO_TASK}, per_group(centred)),
    ("G2RPO, stage 1 only", NO_TASK, GAUSSIAN),
    ("G2RPO", {}, TWO_STAGE),
    ("G2RPO as published", {"zero_signal": "published"}, per_task(GAUSSIAN, ranks, everyone=True)),
    *(
        (
            f"plotting position {name}",
            {"plotting_position": name},
            per_task(per_group(lambda g, a=a: ranks(g, a)), lambda v, a=a: ranks(v, a)),
        )
        for name, a in (("hazen", 1 / 2), ("blom", 3 / 8), ("tukey", 1 / 3), ("van_der_waerden", 0.0))
    ),
    ("task scale", {"task_map": "scale"}, per_task(GAUSSIAN, lambda v: over(v, pstdev(v)))),
    ("task zscore", {"task_map": "zscore"}, per_task(GAUSSIAN, lambda v: over(centred(v), pstdev(v) + 1e-6))),
    (
        "centred rewards, scaled per task",
        {"group_map": "centre", "task_map": "scale"},
        per_task(per_group(centred), lambda v: over(v, pstdev(v))),
    ),
    ("re-centred", {"recenter": True}, [centred(group) for group in TWO_STAGE]),
    (
        "unit variance per group",
        {"unit_variance": "group", **NO_TASK},
        per_group(lambda g: over(ranks(g), pstdev(ranks(g)))),
    ),
    ("unit variance per task", {"unit_variance": "task"}, per_task(TWO_STAGE, lambda v: over(v, pstdev(v)))),
    (
        "success floor",
        {"success_floor": 0.5},
        [
            [min(score, 0.0) if reward < 0.5 else score for score, reward in zip(scores, group, strict=True)]
            for scores, group in zip(TWO_STAGE, BATCH, strict=True)
        ],
    ),
    ("clipped", {"clip": 0.7}, [[max(-0.7, min(0.7, score)) for score in group] for group in TWO_STAGE]),
    (
        "least rows for the task map",
        {"task_map": "scale", "task_min_rows": 17},
        [
            mapped if TASKS[g] == 0 else kept
            for g, (mapped, kept) in enumerate(
                zip(per_task(GAUSSIAN, lambda v: over(v, pstdev(v))), GAUSSIAN, strict=True)
            )
        ],
    ),
]


def tensors() -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    group_N = torch.tensor([g for g, group in enumerate(BATCH) for _ in group])
    return (
        torch.tensor([r for group in BATCH for r in group], dtype=torch.float64),
        group_N,
        torch.tensor(TASKS)[group_N],
    )


def difference(options: dict, expected: Groups) -> float:
    got = g2rpo_scores(*tensors(), settings=G2RPOSettings(**options)).scores_N
    return max(abs(a - b) for a, b in zip(got.tolist(), [s for group in expected for s in group], strict=True))


@pytest.mark.parametrize(("name", "options", "expected"), PARITY, ids=[row[0] for row in PARITY])
def test_parity_with_an_independent_formula(name, options, expected):
    assert difference(options, expected) < 1e-6


def test_parity_table_for_the_reader():
    """`pytest -s -k parity_table` prints it."""
    print(f"\n{'setting':<34} {'largest difference':>18}")
    differences = {name: difference(options, expected) for name, options, expected in PARITY}
    print("\n".join(f"{name:<34} {found:>18.1e}" for name, found in differences.items()))
    assert max(differences.values()) < 1e-6


@pytest.mark.parametrize(("map_name", "by_std"), [("zscore_sample", True), ("centre", False)])
def test_equals_verl_s_own_grpo(map_name, by_std):
    generator = torch.Generator().manual_seed(0)
    reward_N, group_N = torch.rand(96, generator=generator), torch.arange(96) // 8
    token_rewards = torch.zeros(96, 3).index_fill_(1, torch.tensor([2]), 1.0) * reward_N[:, None]
    theirs, _ = core_algos.compute_grpo_outcome_advantage(
        token_rewards, torch.ones(96, 3), group_N.numpy(), norm_adv_by_std_in_grpo=by_std
    )
    ours = g2rpo_scores(reward_N, group_N, settings=G2RPOSettings(group_map=map_name, task_map="none")).scores_N
    torch.testing.assert_close(ours.float(), theirs[:, 0], atol=1e-5, rtol=0)


@pytest.mark.parametrize("parts", [False, True])
def test_a_task_s_own_tie_epsilon_holds_for_it_alone(parts):
    reward_N = torch.tensor([0.71, 0.74, 0.1, 0.71, 0.74, 0.1])
    group_N = torch.tensor([0, 0, 0, 1, 1, 1])
    settings = G2RPOSettings(task_tie_epsilon={"box": 0.05}, task_map="none", components={"accuracy": 1.0})
    estimate, given = (g2rpo_gdpo_scores, {"accuracy": reward_N}) if parts else (g2rpo_scores, reward_N)
    scores = estimate(given, group_N, group_N, settings=settings, task_names=["box", "text"]).scores_N
    assert scores[0] == scores[1]
    assert scores[3] < scores[4]


def test_success_floor_looks_at_the_accuracy_where_it_is_given():
    reward_N, accuracy_N = torch.tensor([0.1, 0.2, 0.3, 0.6]), torch.tensor([0.0, 0.0, 0.0, 0.0])
    settings = G2RPOSettings(success_floor=0.5, components={"format": 1.0})
    group_N = torch.zeros(4, dtype=torch.long)
    assert (g2rpo_scores(reward_N, group_N, settings=settings, success_N=accuracy_N).scores_N <= 0).all()
    assert (g2rpo_scores(reward_N, group_N, settings=settings).scores_N > 0).sum() == 1
    parts = {"format": reward_N, "accuracy": accuracy_N}
    assert (g2rpo_gdpo_scores(parts, group_N, settings=settings).scores_N <= 0).all()
    del parts["accuracy"]
    assert (g2rpo_gdpo_scores(parts, group_N, settings=settings).scores_N > 0).sum() == 1


def test_a_rank_map_forgets_the_scale_that_centring_keeps():
    rewards = torch.tensor([0.0, 0.001, 0.002, 0.003])
    group_N = torch.zeros(4, dtype=torch.long)
    ranked = g2rpo_scores(rewards, group_N, settings=G2RPOSettings(task_map="none")).scores_N
    kept = g2rpo_scores(rewards, group_N, settings=G2RPOSettings(group_map="centre", task_map="none")).scores_N
    assert ranked.max() > 1
    assert kept.max() < 0.002


def test_components_apart_then_summed_then_per_task():
    accuracy = [[0, 0, 1, 1], [1, 1, 1, 1], [0, 0, 0, 1]]
    form = [[0, 1, 1, 1], [0, 1, 0, 1], [1, 1, 1, 1]]
    sums = [
        [2.0 * a + 0.5 * f for a, f in zip(ranks(x) if len(set(x)) > 1 else [0] * 4, fy, strict=True)]
        for x, fy in zip(accuracy, [ranks(y) if len(set(y)) > 1 else [0] * 4 for y in form], strict=True)
    ]
    expected = ranks([score for group in sums for score in group])
    parts = {
        "accuracy": torch.tensor(accuracy, dtype=torch.float64).flatten(),
        "format": torch.tensor(form, dtype=torch.float64).flatten(),
        "length": torch.full((12,), math.nan, dtype=torch.float64),
    }
    settings = G2RPOSettings(components={"accuracy": 2.0, "format": 0.5, "length": 0.0})
    result = g2rpo_gdpo_scores(parts, torch.arange(12) // 4, settings=settings)
    assert result.scores_N.tolist() == pytest.approx(expected, abs=1e-6)
    assert not result.zero_signal_N.any()


def test_one_component_is_g2rpo():
    reward_N, group_N, task_N = tensors()
    settings = G2RPOSettings(components={"accuracy": 1.0})
    apart = g2rpo_gdpo_scores({"accuracy": reward_N}, group_N, task_N, settings=settings)
    whole = g2rpo_scores(reward_N, group_N, task_N)
    assert apart.scores_N.tolist() == whole.scores_N.tolist()
    assert apart.zero_signal_N.tolist() == whole.zero_signal_N.tolist()


def test_a_group_without_signal_in_any_component_scores_zero():
    ones = torch.ones(4)
    parts = {"accuracy": ones, "format": torch.tensor([1.0, 1.0, 0.0, 1.0])}
    settings = G2RPOSettings(components={"accuracy": 1.0, "format": 1.0})
    result = g2rpo_gdpo_scores(parts, torch.tensor([0, 0, 1, 1]), settings=settings)
    assert result.scores_N[:2].tolist() == [0.0, 0.0]
    assert result.zero_signal_N.tolist() == [True, True, False, False]


@pytest.mark.parametrize("weights", [{"accuracy": 1.0, "style": 1.0}, {}, {"accuracy": 0.0}])
def test_missing_components_are_an_error_naming_them(weights):
    with pytest.raises(ValueError, match="style" if "style" in weights else "with a weight"):
        g2rpo_gdpo_scores({"accuracy": torch.ones(2)}, torch.tensor([0, 0]), settings=G2RPOSettings(components=weights))


def test_a_component_that_is_no_number_is_an_error_naming_the_row():
    parts = {"accuracy": torch.tensor([1.0, math.nan])}
    with pytest.raises(ValueError, match="row 1"):
        g2rpo_gdpo_scores(parts, torch.tensor([0, 0]), settings=G2RPOSettings(components={"accuracy": 1.0}))


@pytest.mark.parametrize("recenter", [False, True])
@pytest.mark.parametrize("unit_variance", ["none", "group", "task"])
@pytest.mark.parametrize("zero_signal", ["zero", "published"])
@pytest.mark.parametrize("task_map", TASK_MAPS)
@pytest.mark.parametrize("group_map", GROUP_MAPS)
def test_no_choice_of_options_blows_rounding_up(group_map, task_map, zero_signal, unit_variance, recenter):
    """Tasks of groups that all tie, whose scores differ by rounding at most, beside one that does not."""
    settings = G2RPOSettings(group_map=group_map, task_map=task_map, zero_signal=zero_signal,
                             unit_variance=unit_variance, recenter=recenter)  # fmt: skip
    sizes = [24, 40, 48, 56, 8]
    reward = torch.tensor([0.1] * sum(sizes[:-1]) + [0.0, 0.3, 0.3, 0.4, 0.7, 0.9, 1.0, 1.0], dtype=torch.float64)
    task = torch.repeat_interleave(torch.arange(5), torch.tensor(sizes))
    scores = g2rpo_scores(reward, torch.arange(len(reward)) // 8, task, settings=settings).scores_N
    assert scores[:-8].abs().max() < 1e-9
    assert 0.1 < scores[-8:].abs().max() < 10
