from __future__ import annotations

import numpy as np
import pytest

from verl_ext.metrics import METRICS, Rows, advantage_histogram, task_metrics

SPATIAL = "spatial_reasoning"
BANDS = {("relation", SPATIAL): (0.2, 0.6), ("point_to", SPATIAL): (0.2, 0.6), ("arithmetic", "math_vqa"): (0.4, 0.6)}


def batch(**changes: object) -> Rows:
    """Three groups of two (relation, point_to, arithmetic) and a padding row."""
    columns: dict[str, object] = {
        "task": ["relation", "relation", "point_to", "point_to", "arithmetic", "arithmetic", "relation"],
        "category": ["spatial_reasoning"] * 4 + ["math_vqa"] * 2 + ["spatial_reasoning"],
        "group": ["a", "a", "b", "b", "c", "c", "a"],
        "tokens": [10, 30, 20, 20, 5, 15, 999],
        "truncated": [False, True, False, False, False, False, True],
        "accuracy": [1.0, 0.0, 0.5, 0.5, 1.0, 1.0, 9.0],
        "format": [1.0, 1.0, 1.0, 0.0, 1.0, 1.0, 9.0],
        "structure": [0.0, 0.0, 1.0, 0.5, 0.0, 0.0, 9.0],
        "length": [0.2, 0.0, 0.0, 0.0, 1.0, 1.0, 9.0],
        "reward": [1.0, 0.1, 0.6, 0.5, 1.0, 1.0 + 1e-7, 9.0],
        "advantage": [0.5, -0.5, 1.5, -1.5, 0.0, 0.0, 9.0],
        "entropy_sum": [5.0, 9.0, 20.0, 20.0, 3.0, 7.0, 1e6],
        "valid": [True] * 6 + [False],
    }
    columns.update(changes)
    return Rows(**{name: None if values is None else np.array(values) for name, values in columns.items()})


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("task/relation/rows", 2),
        ("task/relation/accuracy", 0.5),
        ("task/relation/reward", 0.55),
        ("task/point_to/format", 0.5),
        ("task/point_to/structure", 0.75),
        ("category/spatial_reasoning/structure", 0.375),
        ("task/arithmetic/length_reward", 1.0),
        ("task/relation/response_length/mean", 20),
        ("task/relation/response_length/p95", 29),
        ("task/relation/response_length/truncated", 0.5),
        ("category/spatial_reasoning/response_length/truncated", 0.25),
        ("task/relation/entropy", 14 / 40),
        ("task/relation/entropy_in_band", 1),
        ("task/point_to/entropy", 1.0),
        ("task/point_to/entropy_in_band", 0),
        ("task/arithmetic/entropy_in_band", 1),
        ("category/spatial_reasoning/entropy", 54 / 80),
        ("category/spatial_reasoning/entropy_in_band", 0.5),
        ("task/point_to/advantage/mean", 0.0),
        ("task/point_to/advantage/std", 1.5),
        ("task/point_to/advantage/min", -1.5),
        ("category/spatial_reasoning/advantage/max", 1.5),
        ("category/math_vqa/advantage/group_mean", 0.0),
        ("task/relation/groups", 1),
        ("category/spatial_reasoning/groups", 2),
        ("task/relation/zero_signal_groups", 0),
        ("task/arithmetic/zero_signal_groups", 1),
        ("task/arithmetic/zero_signal_weight", 0),
        ("task/point_to/shaping_only_groups", 1),
        ("category/spatial_reasoning/shaping_only_groups", 0.5),
        ("task/arithmetic/shaping_only_groups", 0),
        ("task/relation/token_share", 0.4),
        ("category/math_vqa/token_share", 0.2),
        ("task/relation/gradient_weight_share", 0.25),
        ("task/arithmetic/gradient_weight_share", 0.0),
        ("category/spatial_reasoning/gradient_weight_share", 1.0),
    ],
)
def test_worked_values_with_padding_left_out(key, value):
    assert task_metrics(batch(), bands=BANDS)[key] == pytest.approx(value)


def test_weight_that_groups_without_signal_get():
    """As the published estimator gives it to them."""
    advantage = np.array([0.5, -0.5, 1.5, -1.5, 0.75, 0.25, 9.0])
    got = task_metrics(batch(advantage=advantage), bands=BANDS)
    assert got["task/arithmetic/zero_signal_weight"] == 1.0
    assert got["task/relation/zero_signal_weight"] == 0.0


def test_rounding_pushes_nothing():
    """Of centred rewards that are equal an ulp may be left, which would be the whole of a task without signal."""
    got = task_metrics(batch(advantage=np.array([0.5, -0.5, 1.5, -1.5, 6e-8, -6e-8, 9.0])), bands=BANDS)
    assert got["task/arithmetic/zero_signal_weight"] == got["task/arithmetic/gradient_weight_share"] == 0.0


def test_responses_that_were_rejected_are_in_no_group_and_no_length():
    """Their mask is 0; the estimators leave them out."""
    got = task_metrics(batch(tokens=[10, 0, 20, 20, 0, 0, 999], entropy_sum=None))
    assert got["task/relation/zero_signal_groups"] == 1.0
    assert got["task/relation/response_length/mean"] == 10
    assert "task/arithmetic/response_length/mean" not in got


def test_what_stage_2_moves_groups_by():
    got = task_metrics(batch(advantage=np.array([0.5, 0.5, -1.0, 0.0, 0.0, 0.0, 9.0])))
    assert got["task/relation/advantage/group_mean"] == got["task/point_to/advantage/group_mean"] == 0.5
    assert got["category/spatial_reasoning/advantage/group_mean"] == 0.5


def test_groups_tie_as_they_do_for_the_estimator():
    epsilon = np.array([1.0] * 2 + [1e-6] * 5)
    got = task_metrics(batch(tie_epsilon=epsilon))
    assert got["task/relation/zero_signal_groups"] == 1.0
    assert got["task/point_to/zero_signal_groups"] == 0.0


def test_every_metric_is_documented_and_present_for_every_label():
    got = task_metrics(batch(), bands=BANDS)
    labels = [
        "task/relation/",
        "task/point_to/",
        "task/arithmetic/",
        "category/spatial_reasoning/",
        "category/math_vqa/",
    ]
    assert set(got) == {label + name for label in labels for name in METRICS}
    assert all(type(value) is float for value in got.values())


def test_token_mean_weighs_the_gradient_by_tokens():
    got = task_metrics(batch(advantage=[1.0, -1.0, 0.0, 0.0, 2.0, -1.0, 9.0]), loss_agg_mode="token-mean")
    assert got["task/relation/gradient_weight_share"] == pytest.approx(40 / (40 + 10 + 15))


def test_a_batch_without_gradient_has_shares_of_zero():
    got = task_metrics(batch(advantage=[0.0] * 7))
    assert got["task/relation/gradient_weight_share"] == 0.0


def test_without_entropies_or_band_their_metrics_are_left_out():
    got = task_metrics(batch(entropy_sum=None), bands=BANDS)
    assert not any("entropy" in key for key in got)
    got = task_metrics(batch(), bands={("relation", SPATIAL): None})
    assert "task/relation/entropy" in got
    assert not any(key.endswith("entropy_in_band") for key in got)


def test_reward_parts_and_groups_are_those_of_the_final_outputs():
    final = [False, True, True, True, True, True, False]
    got = task_metrics(batch(final=final))
    assert got["task/relation/accuracy"] == 0.0
    assert got["task/relation/zero_signal_groups"] == 1.0  # one session left in the group
    assert got["task/relation/rows"] == 2


def test_an_empty_batch_has_no_metrics():
    assert task_metrics(batch(valid=[False] * 7)) == {}


def test_an_array_of_another_length_is_an_error():
    with pytest.raises(ValueError, match=r"reward \(1,\)"):
        batch(reward=[1.0])


def test_histogram_counts_every_valid_row_and_keeps_outliers_in_the_outer_bins():
    rows = batch(advantage=[-9.0, 0.0, 0.1, 3.99, 4.0, 50.0, 0.0])
    got = advantage_histogram(rows, low=-4, high=4, bins=4)
    assert got["task/relation/advantage/hist"] == {"edges": [-4, -2, 0, 2, 4], "counts": [1, 0, 1, 0]}
    assert got["task/point_to/advantage/hist"]["counts"] == [0, 0, 1, 1]
    assert got["task/arithmetic/advantage/hist"]["counts"] == [0, 0, 0, 2]


def test_permuting_rows_changes_nothing():
    order = np.random.default_rng(0).permutation(7)
    got, permuted = task_metrics(batch(), bands=BANDS), task_metrics(batch().take(order), bands=BANDS)
    assert permuted == pytest.approx(got)


@pytest.mark.parametrize("entropy, inside", [(4.0, 1.0), (12.0, 1.0), (3.9, 0.0), (12.1, 0.0)])
def test_the_edges_of_a_band_are_inside(entropy, inside):
    got = task_metrics(batch(entropy_sum=[entropy / 2, entropy / 2, 9, 9, 5, 5, 9], tokens=[10] * 7), bands=BANDS)
    assert got["task/relation/entropy_in_band"] == inside


def test_a_task_in_two_categories_is_held_against_the_band_of_each():
    rows = batch(task=["relation"] * 7)
    bands = {("relation", SPATIAL): (0.6, 0.7), ("relation", "math_vqa"): (0.6, 0.7)}
    got = task_metrics(rows, bands=bands)  # entropies 0.675 and 0.5, together 0.64
    assert got["task/relation/entropy_in_band"] == 0.5
    assert got[f"category/{SPATIAL}/entropy_in_band"] == 1.0
    assert got["category/math_vqa/entropy_in_band"] == 0.0
