import pytest

from verl_ext.validation import validation_metrics

RESULTS = {
    "task": ["a", "a", "b", "c", "d"],
    "category": ["x", "x", "x", "y", "z"],
    "acc": [1.0, 0.0, 1.0, 0.0, 0.0],
    "verifiable": [True, True, True, False, True],
}


def test_means_per_task_and_category():
    metrics = validation_metrics(RESULTS, expected=5)
    assert metrics["val/task/a/accuracy"] == 0.5
    assert metrics["val/category/x/accuracy"] == pytest.approx(2 / 3)
    assert metrics["val/mean_accuracy"] == pytest.approx(1 / 3), "of the categories, however many rows they have"


def test_unverifiable_rows_are_counted_and_left_out():
    metrics = validation_metrics(RESULTS, expected=5)
    assert metrics["val/unverifiable_rows"] == 1
    assert "val/task/c/accuracy" not in metrics


def test_responses_that_did_not_come_back_are_counted():
    assert validation_metrics(RESULTS, expected=8)["val/failed_rows"] == 3


def test_reward_function_without_labels_is_named():
    with pytest.raises(KeyError, match="task, category"):
        validation_metrics({"acc": [1.0]}, expected=1)
