"""Task-aware trainers: plug point `register_trainer`, selected by `trainer.v1.trainer_mode`: `verl_ext_sync`,
`verl_ext_colocate_async`, `verl_ext_separate_async`.

A mix-in over verl's own trainers. Per step it
- gives task labels to the estimator, around verl's `_compute_advantage`,
- decides every task's side of its entropy band from verl's entropies of the whole batch, and weighs the rows,
- judges lengths by envelopes that follow them, where these are set to,
- adds metrics per task and category, and appends the step to `metrics.jsonl`.
"""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from omegaconf import OmegaConf, open_dict
from tensordict import TensorDict
from verl.trainer.ppo.v1.trainer_base import register_trainer
from verl.trainer.ppo.v1.trainer_colocate_async import PPOTrainerColocateAsync
from verl.trainer.ppo.v1.trainer_separate_async import PPOTrainerSeparateAsync
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils.config import omega_conf_to_dataclass

from verl_ext import batch_labels, batch_rows, entropy_band, shaping, state_file
from verl_ext import config as settings_of
from verl_ext.feed import TaskFed
from verl_ext.liveness import Watch, probes_of
from verl_ext.loss import ENTROPY_WEIGHT, shaped_ppo_loss
from verl_ext.metrics import advantage_histogram, task_metrics
from verl_ext.ranking import factorize
from verl_ext.run_log import RunLog
from verl_ext.validation import validation_metrics

logger = logging.getLogger(__name__)

REWARD_PARTS = ("accuracy", "format", "structure", "length")
MEMORY_FILE = "verl_ext.json"
"""In every checkpoint: what estimators, envelopes and entropy coefficients keep from step to step."""


class TaskAware(TaskFed):
    """Mix-in; `stock_mode` is the name under which verl's own code knows the trainer that it extends."""

    stock_mode: str

    def __init__(self, config: Any) -> None:
        block = config.get("verl_ext")
        self.settings = settings_of.load(None if block is None else OmegaConf.to_container(block, resolve=True))
        self.run_log = RunLog(self.settings.run_dir or config.trainer.default_local_dir)
        self.shapes_entropy = self.settings.shapes_entropy
        with open_dict(config):
            # verl 0.9.1 compares the mode with its own names in six places and reads settings by it.
            config.trainer.v1.trainer_mode = self.stock_mode
            if self.shapes_entropy:
                config.actor_rollout_ref.actor.calculate_entropy = True
        self.memory: dict[str, Any] = {}
        self._provisional = False
        self._shaped: dict[str, float] = {}
        """Metrics of shaping in the step, which verl would add up over local updates."""
        self.watch = Watch({})
        super().__init__(config)

    def _setup(self) -> None:
        super()._setup()
        self.run_log.open(resume_step=self.global_steps, trains=not self.config.trainer.val_only)
        if self.shapes_entropy:
            actor = omega_conf_to_dataclass(self.config.actor_rollout_ref.actor)
            self.actor_rollout_wg.set_loss_fn(partial(shaped_ppo_loss, actor))

    def fit(self, agent_loop_manager: Any) -> None:
        with Watch(probes_of(self, agent_loop_manager)) as self.watch:
            super().fit(agent_loop_manager)

    def step(self, metrics: dict, timing_raw: dict) -> Any:
        self._shaped.clear()
        try:
            batch = super().step(metrics, timing_raw)
        except Exception:
            self.watch.check()  # a death is the better explanation
            raise
        metrics.update(self._shaped)
        return batch

    def on_sample_end(self) -> None:
        # Responses may be missing because a process died: nothing is trained on what the others left. Asynchronous
        # modes generate on meanwhile, so that an answer may take its time there, which verl would take for idleness.
        self.watch.check(timeout=1.0 if self.trainer_mode == "sync" else 0.0)
        super().on_sample_end()

    def _entropy_weights(self, batch: Any) -> torch.Tensor:
        """Weight (N,) of each row's summed entropy in the loss; 0 where the task is inside its band."""
        if self.global_steps < self.config.trainer.critic_warmup:  # verl does not update the actor yet
            return torch.zeros(len(batch.keys))
        task, category = batch_rows.fetch_rewards(batch, "task", "category")
        mask, entropy = batch_rows.fetch_tokens(batch, "response_mask", "entropy")
        pair_N, pairs = factorize(zip(task.tolist(), category.tolist(), strict=True))
        tasks = {pair: self.settings.for_task(*pair) for pair in pairs}
        # Without a band a task is inside it always.
        bands = [own.entropy_band or (0.0, torch.inf) for own in tasks.values()]
        low, high = torch.tensor(bands, dtype=torch.float64).T
        entropy_N, tokens_N = entropy_band.row_entropy(entropy, mask)
        spares_K = torch.tensor([own.entropy_spare_solved for own in tasks.values()])
        spared_N = spares_K[pair_N]
        if spares_K.any():
            spared_N &= torch.from_numpy(batch_rows.solved(batch, self.settings.filter.accuracy[1]))
        entropy_K, tokens_K, tokens_N = entropy_band.spare(entropy_N, tokens_N, pair_N, spared_N, high)
        side_K = entropy_band.band_side(entropy_K, low, high)
        coefficients = shaping.entropy_coefficients(
            tasks,
            entropy_K.tolist(),
            tokens_K.tolist(),
            self.settings.entropy_dual.over(self.parameter_sync_step),
            self.memory,
            step=self.global_steps,
        )
        self._shaped.update(shaping.task_means(dict(zip(tasks, coefficients, strict=True)), "entropy_coeff"))
        coeff = torch.tensor(coefficients, dtype=torch.float64)
        rows_a_mini_batch = (
            self.config.actor_rollout_ref.actor.ppo_mini_batch_size * self.config.actor_rollout_ref.rollout.n
        )
        mini_batches = max(1, len(batch.keys) // rows_a_mini_batch)
        weight_N = entropy_band.row_weights(side_K, tokens_K, coeff, pair_N, mini_batches=mini_batches)
        return weight_N.masked_fill(tokens_N == 0, 0.0).float()

    def _compute_advantage(self, batch: Any, metrics: dict) -> Any:
        if self.settings.moves_envelopes:
            self._shaped.update(shaping.move_envelopes(batch, self.settings, self.memory))
        label, *parts = batch_rows.fetch_rewards(batch, self.settings.task_label, *REWARD_PARTS)
        session, final = batch_labels.sessions(batch.keys)
        named = dict(zip(REWARD_PARTS, (part.astype(float) for part in parts), strict=True))
        labels = batch_labels.BatchLabels(label, session, final, parts=named, memory=self.memory)
        with batch_labels.provide(labels):
            batch = super()._compute_advantage(batch, metrics)
        if self.shapes_entropy:  # after verl's rejection sampling, which takes tokens out of the response masks
            weight_N = self._entropy_weights(batch)
            fields = TensorDict({ENTROPY_WEIGHT: weight_N.unsqueeze(-1)}, batch_size=len(weight_N))
            # What it returns names the fields that the update is to fetch.
            batch = tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)
        return batch

    def _save_checkpoint(self) -> None:
        folder = Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"
        self._log_ahead()
        try:
            # Before verl's own part, which ends by marking the checkpoint as complete.
            state_file.save(folder / MEMORY_FILE, self.memory)
            super()._save_checkpoint()
        except Exception as error:
            free = shutil.disk_usage(self.config.trainer.default_local_dir).free / 2**20
            cause = str(error).strip().rpartition("\n")[2]  # a worker's error brings its whole stack
            raise RuntimeError(
                f"verl_ext: the checkpoint {folder} could not be written (its disk has {free:.0f} MiB free): {cause}"
            ) from error

    def _log_ahead(self) -> None:
        """The step's metrics, for a run that dies between its checkpoint and the end of the step."""
        if self.in_progress is None or self.config.actor_rollout_ref.rollout.get("moe_load_balance_metrics_interval"):
            return  # verl counts what it averages over such an interval each time that it is asked
        batch, metrics, timing_raw = self.in_progress
        timing = {**timing_raw, "step": sum(timing_raw.values())}
        epoch = (self.global_steps - 1) // self.steps_per_epoch
        self._provisional = True
        try:
            self._compute_metrics(batch, dict(metrics), timing, global_steps=self.global_steps, epoch=epoch)
        finally:
            self._provisional = False

    def _load_checkpoint(self) -> None:
        super()._load_checkpoint()
        if self.global_steps == 0:
            return
        folder = Path(self.config.trainer.default_local_dir) / f"global_step_{self.global_steps}"
        if self.config.trainer.resume_mode == "resume_path":
            folder = Path(self.config.trainer.resume_from_path)
        if (folder / MEMORY_FILE).exists():
            self.memory.update(state_file.load(folder / MEMORY_FILE))
        else:
            logger.warning(
                "%s has no %s: estimators, envelopes and coefficients that keep a state start anew", folder, MEMORY_FILE
            )

    def _compute_metrics(self, batch: Any, metrics: dict, timing_raw: dict, global_steps: int, epoch: int) -> None:
        super()._compute_metrics(batch, metrics, timing_raw, global_steps=global_steps, epoch=epoch)
        rows = replace(batch_rows.fetch_rows(batch), tie_epsilon=self._tie_epsilon(batch))
        pairs = set(zip(rows.task.tolist(), rows.category.tolist(), strict=True))
        metrics.update(
            task_metrics(
                rows,
                bands={pair: self.settings.for_task(*pair).entropy_band for pair in pairs},
                loss_agg_mode=self.config.actor_rollout_ref.actor.loss_agg_mode,
            )
        )
        responses = self.config.data.train_batch_size * self.config.actor_rollout_ref.rollout.n
        metrics["training/missing_responses"] = float(responses - int((rows.valid & rows.final).sum()))
        metrics.update(batch_rows.reward_events(batch))
        self.run_log.write(global_steps, {**metrics, **advantage_histogram(rows)}, provisional=self._provisional)

    def _tie_epsilon(self, batch: Any) -> np.ndarray:
        """(N,) gap up to which the estimator takes a row's reward as equal to the next."""
        algorithm = self.config.algorithm
        if algorithm.adv_estimator == "ema_grpo":
            return np.full(len(batch.keys), settings_of.ema_settings(algorithm.get("ema_grpo")).tie_epsilon)
        settings = settings_of.g2rpo_settings(algorithm.get("g2rpo"))
        (label,) = batch_rows.fetch_rewards(batch, self.settings.task_label)
        return np.array([settings.task_tie_epsilon.get(str(own), settings.tie_epsilon) for own in label])

    def _val_metrics_update(self, data_sources: Any, sample_uids: Any, results: Any, *args: Any, **kwargs: Any) -> dict:
        metrics = super()._val_metrics_update(data_sources, sample_uids, results, *args, **kwargs)
        expected = sum(kwargs["expected_acc_counts"].values())
        metrics.update(validation_metrics(results, expected=expected))
        if self.in_progress is None and self.run_log.last_step < 0:  # before training no step takes it along
            self.run_log.write(self.global_steps, metrics)
        return metrics


@register_trainer("verl_ext_sync")
class TaskAwareSync(TaskAware, PPOTrainerSync):
    stock_mode = "sync"


@register_trainer("verl_ext_colocate_async")
class TaskAwareColocateAsync(TaskAware, PPOTrainerColocateAsync):
    stock_mode = "colocate_async"


@register_trainer("verl_ext_separate_async")
class TaskAwareSeparateAsync(TaskAware, PPOTrainerSeparateAsync):
    stock_mode = "separate_async"
