"""Task sampling: shares, order, and the state that StatefulDataLoader keeps for verl."""

from collections import Counter

import numpy as np
import pytest
from torchdata.stateful_dataloader import StatefulDataLoader

from verl_ext.sampler import SamplingSettings, TaskSampler, zero_signal_shares

TASKS = ["big"] * 60 + ["small"] * 20 + ["tiny"] * 4


def made(seed=0, tasks=TASKS, **settings):
    return TaskSampler(tasks, SamplingSettings(**settings), seed=seed)


def counts(sampler, rows=None):
    drawn = list(sampler)[:rows]
    return Counter(TASKS[row] for row in drawn)


@pytest.mark.parametrize(
    "settings, expected",
    [
        ({"weights": {"big": 1}}, {"big": 60, "small": 20, "tiny": 4}),
        ({"base": "equal"}, {"big": 28, "small": 28, "tiny": 28}),
        ({"weights": {"big": 0}}, {"small": 70, "tiny": 14}),
        ({"base": "equal", "weights": {"tiny": 2}}, {"big": 21, "small": 21, "tiny": 42}),
    ],
)
def test_shares_of_a_pass(settings, expected):
    assert counts(made(**settings)) == expected


def test_every_stretch_holds_the_shares_to_within_a_row():
    rows = list(made(base="equal"))
    for start in range(0, 72, 6):
        assert set(Counter(TASKS[row] for row in rows[start : start + 6]).values()) == {2}


def test_a_task_uses_all_its_rows_before_one_comes_again():
    tiny = [row for row in made(base="equal") if TASKS[row] == "tiny"]
    for start in range(0, 28, 4):
        assert set(tiny[start : start + 4]) == {80, 81, 82, 83}
    assert tiny[:4] != tiny[4:8] or tiny[:4] != tiny[8:12]


def test_seed_decides_the_order():
    assert list(made(seed=1)) == list(made(seed=1)) != list(made(seed=2))


def test_need_lowers_tasks_without_signal_within_the_bound():
    sampler = made(base="equal", by_need=True, need_bound=4.0)
    sampler.update({"big": 1.0, "small": 0.0, "tiny": 0.5})
    shares = sampler.shares()
    assert shares["small"] / shares["big"] == pytest.approx(4)
    assert shares["tiny"] / shares["big"] == pytest.approx(2)
    for _ in range(100):
        sampler.update({"big": 0.0})
    assert sampler.shares()["big"] == pytest.approx(sampler.shares()["small"], rel=1e-3)


def test_need_is_averaged_over_steps():
    sampler = made(by_need=True)
    sampler.update({"big": 1.0})
    sampler.update({"big": 0.0})
    assert sampler.zero_share == pytest.approx({"big": 0.9})


def test_need_is_off_by_default():
    sampler = made(base="equal")
    sampler.update({"big": 1.0, "small": 0.0})
    assert set(sampler.shares().values()) == {1 / 3}


def test_weight_of_a_task_without_rows():
    with pytest.raises(ValueError, match="no rows of smal; its tasks are big, small, tiny"):
        made(weights={"smal": 2})


def loader(sampler, workers=0):
    return StatefulDataLoader(
        list(range(len(TASKS))), batch_size=5, sampler=sampler, drop_last=True, num_workers=workers, collate_fn=list
    )


@pytest.mark.parametrize("workers", [0, 2])
@pytest.mark.parametrize("seen", [3, 16, 21])
def test_loader_resumes_in_the_middle_of_a_pass_and_beyond(workers, seen):
    """As verl uses it: `iter` anew at the end of a pass, state_dict after any batch."""

    def batches(source, number):
        iterator, taken = iter(source), []
        while len(taken) < number:
            try:
                taken.append(next(iterator))
            except StopIteration:
                iterator = iter(source)
        return taken

    whole = loader(made(base="equal"), workers)
    before = batches(whole, seen)
    state = whole.state_dict()
    expected = batches(loader(made(base="equal"), workers), seen + 20)
    assert before == expected[:seen]
    resumed = loader(made(base="equal"), workers)
    resumed.load_state_dict(state)
    assert batches(resumed, 20) == expected[seen:]


def test_need_comes_back_bit_for_bit():
    sampler = made(by_need=True)
    source = loader(sampler)
    iterator = iter(source)
    next(iterator)
    sampler.update({"big": 1 / 3, "small": 0.1})
    state = source.state_dict()
    again = made(by_need=True)
    resumed = loader(again)
    resumed.load_state_dict(state)
    following = next(iter(resumed))
    assert again.zero_share == sampler.zero_share
    assert following == next(iterator)


def test_state_of_other_data_is_refused():
    with pytest.raises(ValueError, match="resume with the same data"):
        made().load_state_dict(made(tasks=["other"] * 3).state_dict())


def test_zero_signal_shares_count_dropped_groups():
    task = np.array(["a", "a", "a", "a", "b", "b"], dtype=object)
    group = np.array(["p", "p", "q", "q", "r", "r"], dtype=object)
    accuracy = np.array([0.9, 0.9, 1.0, 0.0, 0.5, 0.5])
    shares = zero_signal_shares(task, group, accuracy, dropped={"a": 2, "b": 0, "c": 3})
    assert shares == {"a": 0.75, "b": 1.0, "c": 1.0}
