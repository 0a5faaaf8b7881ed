"""verl's replay buffers, in a fixed order and with the accuracy range of `group_filter`.

verl hands rows over in the order of their arrival and picks prompts from a set, so that two runs never see the same
batch. Here both follow the keys, which the trainer gives out in the order of the data.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from typing import Any

import transfer_queue as tq
from verl.trainer.ppo.v1.replay_buffer import ReplayBuffer, ReplayBufferAsync

from verl_ext.batch_labels import sessions
from verl_ext.group_filter import GroupFilter

Keys = list[str]


def prompt_of(key: str) -> str:
    return key.split("_")[0]


def in_order(key: str) -> tuple[str, int, int]:
    """Sort key of a row `{uid}_{session}_{index}`."""
    uid, session, index = key.split("_")
    return uid, int(session), int(index)


class Ordered:
    """Mix-in over verl's buffers."""

    group_filter: GroupFilter

    def _select_prompt_uids(self, partition_id: str, sampleable_keys: set[str], batch_size: int) -> tuple:
        # verl's sort by step is stable, so what is in order before it stays so within a step.
        return super()._select_prompt_uids(partition_id, sorted(sampleable_keys), batch_size)

    def _materialize_batch(self, partition_id: str, selected: Keys, snapshot: dict[str, dict]) -> Any:
        ordered = {key: snapshot[key] for key in sorted(snapshot, key=in_order)}
        return super()._materialize_batch(partition_id, selected, ordered)

    def _dapo_filtered_keys(self, partition_id: str) -> tuple[set[str], Counter]:
        """Finished groups to drop, and how many have which mean accuracy."""
        if partition_id == "val" or self.filter_groups_metric is None:
            return set(), Counter()
        finished = self.finished_keys[partition_id]
        known = self._dapo_classification_cache[partition_id]
        for uid in known.keys() - finished:
            del known[uid]
        for uid, results in self._results(partition_id, finished - known.keys()).items():
            accuracy = [self._accuracy(uid, result) for result in results]
            reason = self.group_filter.judge(str(results[0].get("task", "all")), accuracy)
            known[uid] = round(sum(accuracy) / len(accuracy), 4) if reason else None
        dropped = {uid: mean for uid, mean in known.items() if mean is not None}
        return set(dropped), Counter(dropped.values())

    def _results(self, partition_id: str, uids: set[str]) -> dict[str, list[dict[str, Any]]]:
        """The reward's result of every session of these prompts."""
        keys = sorted((key for key in self.partitions[partition_id] if prompt_of(key) in uids), key=in_order)
        if not keys:
            return {}
        final = [key for key, last in zip(keys, sessions(keys)[1], strict=True) if last]
        data = tq.kv_batch_get(keys=final, partition_id=partition_id, select_fields=["extra_fields"])
        results = defaultdict(list)
        for key, extra in zip(final, data["extra_fields"], strict=True):
            results[prompt_of(key)].append(getattr(extra, "data", extra).get("reward_extra_info", {}))
        return results

    def _accuracy(self, uid: str, result: dict[str, Any]) -> float:
        if self.filter_groups_metric not in result:
            raise KeyError(
                f"a response of prompt {uid} has no {self.filter_groups_metric!r} in its reward, only "
                f"{', '.join(result)}: fix algorithm.filter_groups.metric or the reward function"
            )
        return float(result[self.filter_groups_metric])

    def _evict_terminal_groups(self, global_steps: int, partition_id: str, eviction_reasons: tuple) -> tuple:
        evicted = super()._evict_terminal_groups(global_steps, partition_id, eviction_reasons)
        self.group_filter.failed += len(eviction_reasons[2])
        self.group_filter.check(global_steps)
        return evicted


class OrderedReplayBuffer(Ordered, ReplayBuffer):
    pass


class OrderedReplayBufferAsync(Ordered, ReplayBufferAsync):
    pass


def drop_trained(partition_id: str = "train") -> None:
    """Clear a restored queue of rows whose prompt has left it.

    verl saves the queue before it clears it of the step's batch: after each resume these rows would stay in memory and
    in every later checkpoint.
    """
    tags = (tq.kv_list(partition_id) or {}).get(partition_id, {})
    prompts = {key for key, tag in tags.items() if tag.get("is_prompt")}
    trained = [key for key in tags if prompt_of(key) not in prompts]
    if trained:
        tq.kv_clear(keys=trained, partition_id=partition_id)


_OURS = {ReplayBuffer: OrderedReplayBuffer, ReplayBufferAsync: OrderedReplayBufferAsync}


def ordered(buffer: Any, group_filter: GroupFilter) -> Any:
    """A buffer that verl has just built as one of ours; a user's own class stays as it is."""
    if type(buffer) not in _OURS:
        return buffer
    # verl chooses the class by name and has no seam for it; the constructor's work is done already.
    buffer.__class__ = _OURS[type(buffer)]
    buffer.group_filter = group_filter
    return buffer
