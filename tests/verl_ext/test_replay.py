"""verl's real replay buffers with our order and filter, over a TransferQueue of one dictionary."""

import random
from types import SimpleNamespace

import pytest
import verl  # noqa: F401
from verl.trainer.ppo.v1 import replay_buffer as verls

from verl_ext import replay
from verl_ext.group_filter import FilterSettings, GroupFilter


class Queue:
    """What the buffers use of TransferQueue; prompts finish when they are added."""

    def __init__(self):
        self.tags, self.results = {}, {}

    def add(self, uid, accuracy, *, step=1, task="a", status="finished"):
        self.tags[uid] = {"is_prompt": True, "status": status, "global_steps": step}
        rows = [(f"{uid}_{session}_0", value) for session, value in enumerate(accuracy)]
        random.shuffle(rows)
        for key, value in rows:
            self.tags[key] = {"status": "success"}
            self.results[key] = {"extra_fields": {"reward_extra_info": {"accuracy": value, "task": task}}}

    def kv_list(self, partition_id=None):
        items = list(self.tags.items())
        random.shuffle(items)
        return {"train": dict(items)}

    def kv_batch_get(self, keys, partition_id, select_fields):
        return {"extra_fields": [self.results[key]["extra_fields"] for key in keys]}

    def kv_clear(self, partition_id, keys):
        for key in keys:
            self.tags.pop(key, None)


@pytest.fixture
def queue(monkeypatch):
    made = Queue()
    monkeypatch.setattr(verls, "tq", made)
    monkeypatch.setattr(replay, "tq", made)
    return made


def buffer_of(kind, refill, *, metric="accuracy", batch_size=2, rounds=20):
    own = {} if kind is verls.ReplayBufferAsync else {"train_batch_size": batch_size, "gen_batch_size": 1}
    buffer = kind(
        **{"trainer_mode": "any", "trainer_config": {}, "sampler_kwargs": {}, "poll_interval": 0},
        **{"max_off_policy_threshold": 8, "max_off_policy_strategy": "drop"},
        **{"refill_fn": refill, "filter_groups_metric": metric, **own},
    )
    return replay.ordered(buffer, GroupFilter(FilterSettings(max_rounds=rounds), batch_size=batch_size))


@pytest.fixture(params=[verls.ReplayBuffer, verls.ReplayBufferAsync])
def kind(request):
    return request.param


def test_rows_come_in_the_order_of_their_keys_not_of_arrival(kind, queue):
    for uid in ("000001-000010", "000001-000002"):
        queue.add(uid, [0.0] * 12)
    batch, _ = buffer_of(kind, None, metric=None).sample(1, "train", 2)
    sessions = [f"{uid}_{session}_0" for uid in ("000001-000002", "000001-000010") for session in range(12)]
    assert batch.keys == sessions


def test_older_prompts_first_then_in_order(kind, queue):
    for uid, step in (("000002-000000", 2), ("000001-000001", 1), ("000001-000000", 1)):
        queue.add(uid, [0.0, 1.0], step=step)
    batch, _ = buffer_of(kind, None, metric=None).sample(2, "train", 2)
    assert {replay.prompt_of(key) for key in batch.keys} == {"000001-000000", "000001-000001"}


def test_groups_outside_the_range_are_replaced(kind, queue):
    queue.add("000001-000000", [0, 0])
    queue.add("000001-000001", [1, 1], task="b")
    queue.add("000001-000002", [1, 0])
    fresh = iter(range(3, 100))

    def refill(number):
        for _ in range(number):
            queue.add(f"000001-{next(fresh):06d}", [0, 1])

    buffer = buffer_of(kind, refill)
    batch, metrics = buffer.sample(1, "train", 2)
    assert {replay.prompt_of(key) for key in batch.keys} == {"000001-000002", "000001-000003"}
    assert metrics["training/filter_groups/evicted_samples"] == 2
    filtered, dropped = buffer.group_filter.take()
    assert dropped == {"a": 1, "b": 1}
    assert filtered["filter/b/too_easy"] == 1


def test_data_that_cannot_fill_a_batch_end_the_step(kind, queue):
    fresh = iter(range(1, 1000))

    def refill(number):
        for _ in range(number):
            queue.add(f"000001-{next(fresh):06d}", [0, 0])

    queue.add("000001-000000", [0, 0])
    with pytest.raises(RuntimeError, match=r"step 1: no full batch of 2 prompts.*more than .*max_rounds=5"):
        buffer_of(kind, refill, rounds=5).sample(1, "train", 2)
    assert next(fresh) < 40


def test_rewards_that_always_fail_end_the_step(queue):
    """The asynchronous modes drop such groups and generate others: without a bound for ever."""
    fresh = iter(range(1, 1000))

    def refill(number):
        for _ in range(number):
            queue.add(f"000001-{next(fresh):06d}", [1], status="failure")

    queue.add("000001-000000", [1], status="failure")
    with pytest.raises(RuntimeError, match=r"step 1: 11 groups had responses that could not be generated or judged"):
        buffer_of(verls.ReplayBufferAsync, refill, metric=None, rounds=5).sample(1, "train", 2)


def test_a_metric_that_the_reward_lacks_is_named(kind, queue):
    queue.add("000001-000000", [0, 1])
    with pytest.raises(KeyError, match="no 'acuracy' in its reward, only accuracy, task"):
        buffer_of(kind, lambda _number: None, metric="acuracy").sample(1, "train", 1)


def test_a_users_own_buffer_stays_as_it_is():
    own = SimpleNamespace()
    assert replay.ordered(own, None) is own


def test_a_restored_queue_keeps_what_was_not_trained(queue):
    """verl's checkpoint of the queue holds the step's batch, whose prompts have left it."""
    for number in range(3):
        queue.add(f"00000{number}-000000", [0, 1])
    del queue.tags["000000-000000"]
    replay.drop_trained()
    wanted = [f"{uid}{row}" for uid in ("000001-000000", "000002-000000") for row in ("", "_0_0", "_1_0")]
    assert sorted(queue.tags) == wanted
    queue.tags.clear()
    replay.drop_trained()
