"""Problems between parts of a run's configuration, found before Ray starts."""

from __future__ import annotations

import dataclasses
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from reward_fns.settings import CATEGORIES
from verl_ext.config_fields import EMA_KEYS, G2RPO_KEYS, read, unknown, unknown_task
from verl_ext.sampler import SamplingSettings

if TYPE_CHECKING:
    from verl_ext.config import Settings

# Estimators whose advantages depend on the order of the rewards alone.
RANK_ESTIMATORS = ("g2rpo", "g2rpo_gdpo")
GROUP_ESTIMATORS = (*RANK_ESTIMATORS, "ema_grpo")


def check_run(
    config: Mapping[str, Any],
    settings: Settings,
    *,
    known_tasks: Collection[str] | None = None,
    known_estimators: Collection[str] | None = None,
) -> list[str]:
    """Problems of a whole resolved configuration: each names the key, the reason and the fix.

    A key that is missing is not judged.
    """
    problems = _missing_inputs(config)
    read(_at(config, "algorithm.g2rpo"), "algorithm.g2rpo", G2RPO_KEYS, problems)
    read(_at(config, "algorithm.ema_grpo"), "algorithm.ema_grpo", EMA_KEYS, problems)
    problems += _estimator_problems(config, known_estimators)
    problems += _unheard(config, settings, known_tasks)
    if _at(config, "trainer.use_v1") is False:
        problems.append("trainer.use_v1=false (verl's legacy trainer) has no task labels and no shaping; remove it")
    if settings.sampling.by_need and _at(config, "data.dataloader_num_workers"):
        problems.append(
            "verl_ext.sampling.by_need=true needs data.dataloader_num_workers=0: other workers fetch rows ahead, with "
            "weights of steps ago, and a resumed run would fetch others"
        )
    if _at(config, "reward.reward_model.enable") and not _at(config, "reward.reward_model.enable_resource_pool"):
        problems.append(
            "reward.reward_model.enable=true without a pool of its own judges apart from the reward manager, which "
            "then reports no task; set reward.reward_model.enable_resource_pool=true and ask it from "
            "reward.custom_reward_function.path"
        )
    if settings.shapes_entropy:
        problems += _entropy_problems(config)
    if settings.moves_envelopes:
        problems += _auto_envelope_problems(config)
    return problems + _unreachable_envelopes(config, settings)


def _unheard(config: Mapping[str, Any], settings: Settings, known_tasks: Collection[str] | None) -> list[str]:
    """Settings that nothing would read."""
    problems = []
    if "envelope" in settings.defaults and all("envelope" in settings.categories.get(one, {}) for one in CATEGORIES):
        problems.append(
            "verl_ext.defaults.envelope is overruled by that of every category; set verl_ext.categories.<category>"
            ".envelope, or verl_ext.defaults.length_weight=0 for no length shaping"
        )
    names = {"task": known_tasks, "category": CATEGORIES}.get(settings.task_label)
    for name in _at(config, "algorithm.g2rpo.task_tie_epsilon") or {}:
        if names is not None and name not in names:
            said = (unknown_task if settings.task_label == "task" else unknown)(settings.task_label, name, names)
            problems.append(f"algorithm.g2rpo.task_tie_epsilon: {said}")
    mode = _at(config, "trainer.v1.trainer_mode")
    if mode is None or str(mode).startswith("verl_ext_"):
        return problems
    unread = {
        "verl_ext.sampling": settings.sampling != SamplingSettings(),
        f"verl_ext.task_label={settings.task_label}": settings.task_label != "task",
        "algorithm.adv_estimator=g2rpo_gdpo": _at(config, "algorithm.adv_estimator") == "g2rpo_gdpo",
    }
    return problems + [
        f"trainer.v1.trainer_mode={mode} is verl's own trainer, which does not know {setting}; use verl_ext_{mode}"
        for setting, is_set in unread.items()
        if is_set
    ]


def _missing_inputs(config: Mapping[str, Any]) -> list[str]:
    """A model's folder that is not there, or no training file."""
    problems = []
    model = str(_at(config, "actor_rollout_ref.model.path"))
    if model.startswith(("/", ".", "~")) and not Path(model).expanduser().is_dir():
        problems.append(f"actor_rollout_ref.model.path={model} is not there; download it, or name its id")
    data = _at(config, "data") or {}
    if "train_files" in data and not (files := data["train_files"]):
        problems.append(f"data.train_files={files} names no file; python -m data_prep list says what makes one")
    return problems


def _estimator_problems(config: Mapping[str, Any], known: Collection[str] | None) -> list[str]:
    problems = []
    estimator = _at(config, "algorithm.adv_estimator")
    if known is not None and estimator not in known:
        problems.append(
            f"algorithm.adv_estimator: {unknown('estimator', estimator, known)}; one of your own is registered by a "
            "module in VERL_USE_EXTERNAL_MODULES"
        )
    if estimator in RANK_ESTIMATORS and _at(config, "algorithm.use_kl_in_reward"):
        problems.append(
            f"algorithm.use_kl_in_reward=true breaks every tie that {estimator} relies on; "
            "set it to false and use actor_rollout_ref.actor.use_kl_loss=true"
        )
    if estimator in GROUP_ESTIMATORS and _at(config, "actor_rollout_ref.rollout.n") == 1:
        problems.append(
            f"actor_rollout_ref.rollout.n=1: a group of one has nothing to compare, so {estimator} scores every "
            "response 0; use 8"
        )
    if _at(config, "algorithm.filter_groups.enable"):
        metric = _at(config, "algorithm.filter_groups.metric")
        if metric in (None, "reward", "score", "seq_reward", "seq_final_reward"):
            problems.append(
                f"algorithm.filter_groups.metric={metric} sees the length and format parts, so a group without one "
                "right answer would pass; use accuracy"
            )
    return problems


def _entropy_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    if _at(config, "algorithm.rollout_correction.bypass_mode"):
        problems.append(
            "algorithm.rollout_correction.bypass_mode=true computes no entropy before the update, which decides the "
            "side of the band; set it to false, or entropy_coeff to 0"
        )
    if _at(config, "distillation.enabled"):
        problems.append(
            "distillation.enabled=true brings a loss of its own, which the entropy term would replace; "
            "set it to false, or entropy_coeff to 0"
        )
    actor = "actor_rollout_ref.actor"
    chunked = _at(config, f"{actor}.entropy_from_logits_with_chunking")
    if (
        _at(config, f"{actor}.strategy") == "megatron"
        and chunked
        and not _at(config, "actor_rollout_ref.model.use_fused_kernels")
    ):
        problems.append(
            f"{actor}.entropy_from_logits_with_chunking=true fails under Megatron as soon as the entropy has a "
            "gradient (its chunks share memory that backward writes to); set it to false, or entropy_coeff to 0"
        )
    mode = _at(config, "trainer.v1.trainer_mode")
    if mode is not None and not str(mode).startswith("verl_ext_"):
        problems.append(
            f"trainer.v1.trainer_mode={mode} does not shape entropy; use verl_ext_{mode}, or set entropy_coeff to 0"
        )
    return problems


def _auto_envelope_problems(config: Mapping[str, Any]) -> list[str]:
    problems = []
    mode = _at(config, "trainer.v1.trainer_mode")
    if mode is not None and not str(mode).startswith("verl_ext_"):
        problems.append(
            f"trainer.v1.trainer_mode={mode} does not move envelopes; use verl_ext_{mode}, or envelope_mode=static"
        )
    if _at(config, "reward.custom_reward_function.path"):
        problems.append(
            "reward.custom_reward_function.path brings a formula of its own, over which envelope_mode=auto would "
            "write the score that reward_fns composes; use envelope_mode=static"
        )
    return problems


def _unreachable_envelopes(config: Mapping[str, Any], settings: Settings) -> list[str]:
    limit = _at(config, "actor_rollout_ref.rollout.response_length") or _at(config, "data.max_response_length")
    if not isinstance(limit, int):
        return []
    layers = {"defaults": settings.defaults}
    layers |= {f"categories.{name}": layer for name, layer in settings.categories.items()}
    layers |= {f"tasks.{name}": layer for name, layer in settings.tasks.items()}
    return [
        f"verl_ext.{path}.envelope={list(dataclasses.astuple(envelope))} pays nothing up to {envelope.min_start} "
        f"tokens, but responses end at {limit} (data.max_response_length); lower the envelope or set it to null"
        for path, layer in layers.items()
        if (envelope := layer.get("envelope")) is not None and envelope.min_start >= limit
    ]


def _at(config: Mapping[str, Any], path: str) -> Any:
    """Value at a dotted path; None where a part of the path is missing."""
    value: Any = config
    for part in path.split("."):
        if not isinstance(value, Mapping):
            return None
        value = value.get(part)
    return value
