"""Which prompts a step trains on: the trainers' part that samples tasks, filters groups and keeps rows in order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from tensordict import TensorDict
from torchdata.stateful_dataloader import StatefulDataLoader
from verl.utils import tensordict_utils

from reward_fns.registry import labels
from verl_ext import batch_labels, batch_rows, replay
from verl_ext import config as settings_of
from verl_ext.group_filter import GroupFilter
from verl_ext.sampler import TaskSampler, zero_signal_shares


class TaskFed:
    """Mix-in over verl's trainers; `settings` must be there before its constructor runs."""

    settings: settings_of.Settings

    def __init__(self, config: Any) -> None:
        self.group_filter = GroupFilter(self.settings.filter, batch_size=config.data.train_batch_size)
        self.sampler: TaskSampler | None = None
        self._fetched: Counter[int] = Counter()
        self.in_progress: tuple[Any, dict, dict] | None = None
        """Batch, metrics and times of the step whose update is done."""
        super().__init__(config)

    def _build_replay_buffer(self) -> Any:
        buffer = replay.ordered(super()._build_replay_buffer(), self.group_filter)
        hybrid = self.config.trainer.v1.get("separate_async", {}).get("hybrid_rollout", {})
        if not hybrid.get("enable_switch"):  # which takes a wait of more than the interval for idleness
            buffer.poll_interval = self.settings.poll_interval
        return buffer

    def _init_dataloader(self) -> None:
        super()._init_dataloader()
        if not self.settings.sampling.active:
            return
        data = self.train_dataset
        tasks = _tasks(data.dataframe)
        self.sampler = TaskSampler(tasks, self.settings.sampling, seed=self.config.data.get("seed") or 0)
        # verl 0.9.1 has no setting for the sampler: its loader again, with ours.
        verls = self.train_dataloader
        self.train_dataloader = StatefulDataLoader(
            dataset=data,
            batch_size=verls.batch_size,
            num_workers=verls.num_workers,
            drop_last=verls.drop_last,
            collate_fn=verls.collate_fn,
            sampler=self.sampler,
        )

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps > 0 and self.trainer_mode != "sync":
            replay.drop_trained()

    def _fetch_one_gen_batch(self) -> TensorDict:
        """Prompts named by their place in the run in place of a random id: rows get an order that a resume repeats."""
        batch = super()._fetch_one_gen_batch()
        first = self._fetched[self.global_steps]
        self._fetched[self.global_steps] += len(batch)
        uids = [f"{self.global_steps:06d}-{first + place:06d}" for place in range(len(batch))]
        tensordict_utils.assign_non_tensor_stack(batch, "uid", uids)
        return batch

    def step(self, metrics: dict, timing_raw: dict) -> Any:
        batch = super().step(metrics, timing_raw)
        self.in_progress = batch, metrics, timing_raw
        # Before verl saves the step's checkpoint, so that a resumed run knows what this one does.
        filtered, dropped = self.group_filter.take()
        metrics.update(filtered)
        if self.sampler is not None:
            if self.settings.sampling.by_need:
                self._learn_need(batch, dropped)
            metrics.update({f"sampling/{task}/share": share for task, share in self.sampler.shares().items()})
        return batch

    def _learn_need(self, batch: Any, dropped: Mapping[str, int]) -> None:
        task, accuracy = batch_rows.fetch_rewards(batch, "task", "accuracy")
        session, final = batch_labels.sessions(batch.keys)
        own = final & batch_rows.valid_rows(batch)
        group = batch_labels.groups_of(session)
        self.sampler.update(zero_signal_shares(task[own], group[own], accuracy[own].astype(float), dropped=dropped))


def _tasks(rows: Mapping[str, Any]) -> list[str]:
    """Task of each row, by the name that its reward reports."""
    pairs = zip(rows["data_source"], rows["extra_info"], strict=True)
    named = [(source, (info or {}).get("task")) for source, info in pairs]
    known = {(source, task): labels(source, {"task": task})[0] for source, task in set(named)}
    return [known[each] for each in named]
