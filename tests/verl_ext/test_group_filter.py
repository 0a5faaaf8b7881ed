"""Which groups a batch takes, what is counted, and how a step ends that finds too few."""

import pytest

from verl_ext.group_filter import FilterSettings, GroupFilter


def made(batch_size=2, **settings):
    return GroupFilter(FilterSettings(**settings), batch_size=batch_size)


@pytest.mark.parametrize(
    "accuracy, settings, reason",
    [
        ([0, 0, 0, 0], {}, "too_hard"),
        ([1, 1, 1, 1], {}, "too_easy"),
        ([0, 1, 0, 0], {}, None),
        ([0.01, 0.01], {}, "too_hard"),
        ([0.5, 0.5], {}, "constant"),
        ([0.5], {}, None),
        ([1, 1, 1, 0], {"accuracy": (0.2, 0.7)}, "too_easy"),
        ([1, 0, 0, 0, 0], {"accuracy": (0.2, 0.7)}, "too_hard"),
        ([1, 1, 0, 0], {"accuracy": (0.2, 0.7)}, None),
    ],
)
def test_reason(accuracy, settings, reason):
    assert made(**settings).judge("a", accuracy) == reason


def test_shares_per_task_are_of_the_groups_judged_since_the_last_take():
    groups = made()
    for accuracy in ([0, 0], [1, 1], [0, 1], [0, 0]):
        groups.judge("a", accuracy)
    groups.judge("b", [0, 1])
    metrics, dropped = groups.take()
    assert metrics["filter/a/groups"] == 4
    assert metrics["filter/a/too_hard"] == 0.5
    assert metrics["filter/a/too_easy"] == 0.25
    assert metrics["filter/b/too_hard"] == 0
    assert dropped == {"a": 3, "b": 0}
    assert groups.take() == ({}, {})


def test_bound_names_counts_per_reason_and_what_to_change():
    groups = made(max_rounds=3)
    for _ in range(6):
        groups.judge("hopeless", [0, 0])
    groups.check(7)
    groups.judge("mastered", [1, 1])
    with pytest.raises(RuntimeError) as error:
        groups.check(7)
    for part in ("step 7", "hopeless: 6 generated, dropped 6 too_hard", "1 too_easy", "max_rounds=3", "rollout.n"):
        assert part in str(error.value)
    last = str(error.value).splitlines()[-1]  # what main_ppo ends with
    assert all(part in last for part in ("step 7", "max_rounds=3", "a wider verl_ext.filter.accuracy"))
