"""The configuration: all problems at once, sizes that must divide, and what the run will do per task."""

from __future__ import annotations

import math
import warnings
from collections import Counter
from collections.abc import Iterator
from typing import Any

from omegaconf import DictConfig, OmegaConf

from verl_ext.doctor.finding import Finding, fault, note, ok, warning
from verl_ext.sampler import SamplingSettings, TaskSampler


def configuration_findings(config: DictConfig) -> Iterator[Finding]:
    """What `verl_ext.main_ppo` and verl itself would refuse, and what they would only find out later."""
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config

    from verl_ext import main_ppo

    found = list(length_findings(OmegaConf.to_container(config, resolve=True)))
    try:
        main_ppo.check(config)
    except (ValueError, RuntimeError) as error:
        lines = [line.strip("- ") for line in str(error).splitlines() if line.startswith("  - ")] or [str(error)]
        found += [fault("configuration", line, "") for line in lines]
    try:
        with warnings.catch_warnings(action="ignore"):  # that no critic is needed
            validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    except (ValueError, AssertionError) as error:
        found.append(fault("configuration", f"verl: {error}", ""))
    yield from found or [ok("configuration", "checked by verl_ext and by verl")]


def gpus_a_rank(actor: dict[str, Any]) -> int:
    """GPUs that share the rows of one data-parallel rank."""
    if actor["strategy"] == "megatron":
        sizes = ("tensor_model_parallel_size", "pipeline_model_parallel_size", "context_parallel_size")
        return math.prod(actor["megatron"][size] for size in sizes)
    return actor.get("ulysses_sequence_parallel_size", 1)


def division_findings(config: dict[str, Any]) -> Iterator[Finding]:
    """Sizes that must divide, named with what would fit; `main_ppo.check` refuses them."""
    actor, rollout = config["actor_rollout_ref"]["actor"], config["actor_rollout_ref"]["rollout"]
    trainer, prompts = config["trainer"], config["data"]["train_batch_size"]
    gpus = trainer["nnodes"] * trainer["n_gpus_per_node"]
    mini, n = actor["ppo_mini_batch_size"], rollout["n"]
    updates = not trainer.get("val_only")
    if updates and prompts % mini:
        yield fault(
            "configuration",
            f"data.train_batch_size={prompts} is no multiple of actor_rollout_ref.actor.ppo_mini_batch_size={mini}",
            f"actor_rollout_ref.actor.ppo_mini_batch_size={_divisor(prompts, mini)}",
        )
    ranks = max(1, gpus // gpus_a_rank(actor))
    if updates and mini * n % ranks:
        yield fault(
            "configuration",
            f"a mini-batch of {mini} prompts x {n} responses does not divide over {ranks} data-parallel ranks",
            "change actor_rollout_ref.actor.ppo_mini_batch_size or actor_rollout_ref.rollout.n",
        )
    # Without the hybrid engine, responses have GPUs of their own.
    generating = trainer if config["actor_rollout_ref"].get("hybrid_engine", True) else rollout
    gpus, parallel = generating["nnodes"] * generating["n_gpus_per_node"], rollout["tensor_model_parallel_size"]
    if gpus % parallel:
        yield fault(
            "configuration",
            f"{gpus} GPUs are no multiple of actor_rollout_ref.rollout.tensor_model_parallel_size={parallel}",
            f"actor_rollout_ref.rollout.tensor_model_parallel_size={_divisor(gpus, parallel)}",
        )


def length_findings(config: dict[str, Any]) -> Iterator[Finding]:
    """Lengths that must hold a prompt and its response, and how the loss weighs long responses."""
    actor, rollout = config["actor_rollout_ref"]["actor"], config["actor_rollout_ref"]["rollout"]
    tokens, data = actor["ppo_max_token_len_per_gpu"], config["data"]
    longest = data["max_prompt_length"] + data["max_response_length"]
    if actor["use_dynamic_bsz"] and tokens * actor.get("ulysses_sequence_parallel_size", 1) < longest:
        yield fault(
            "configuration",
            f"actor.ppo_max_token_len_per_gpu={tokens} does not hold one prompt and response of {longest} tokens",
            f"actor.ppo_max_token_len_per_gpu={longest}",
        )
    limit = rollout["max_model_len"]
    if limit and limit < longest:
        yield fault("configuration", f"rollout.max_model_len={limit} is below prompt + response, {longest}", "raise it")
    if actor["loss_agg_mode"] == "token-mean":
        yield warning(
            "configuration",
            "actor.loss_agg_mode=token-mean lets tasks with long answers outweigh the others",
            "actor.loss_agg_mode=seq-mean-token-mean",
        )


def _divisor(whole: int, wanted: int) -> int:
    return max(part for part in range(1, whole + 1) if whole % part == 0 and part <= max(wanted, 1))


def task_findings(config: DictConfig, tasks: Counter[tuple[str, str]]) -> Iterator[Finding]:
    """What the run will do with every task of the training data."""
    from verl_ext import config as settings_of

    try:
        settings = settings_of.load(OmegaConf.to_container(config.verl_ext, resolve=True))
    except ValueError:
        return  # reported with the configuration
    total = sum(tasks.values())
    try:
        shares = sampling_shares(settings.sampling, tasks)
    except ValueError as error:
        yield fault("tasks", str(error), "name tasks of the training data")
        shares = {}
    for (task, category), rows in sorted(tasks.items()):
        try:
            one = settings.for_task(task, category)
        except ValueError as error:
            yield fault("tasks", str(error), "mend extra_info.category of the rows")
            continue
        reward, envelope = one.reward, one.reward.envelope
        length = "none"
        if envelope is not None and reward.length_weight:
            bounds = (envelope.min_start, envelope.peak_start, envelope.peak_end, envelope.max_end)
            length = f"{' '.join(map(str, bounds))} tokens x {reward.length_weight:g}"
        band = (
            "none"
            if one.entropy_band is None or not one.entropy_coeff
            else "{:g} to {:g} nats".format(*one.entropy_band)
        )
        yield note(
            "tasks",
            f"{task} ({category}): {rows} rows, {100 * rows / total:.1f} %; length {length}; entropy {band}"
            + (f" x {one.entropy_coeff:g}" if band != "none" else "")
            + (f"; drawn as {100 * shares[task]:.1f} % at first" if task in shares else ""),
        )


def sampling_shares(sampling: SamplingSettings, tasks: Counter[tuple[str, str]]) -> dict[str, float]:
    """Share of the rows that training draws per task; {} where it draws them as they lie. Errors of TaskSampler."""
    if not sampling.active or not tasks:
        return {}
    labels = [task for (task, _), rows in tasks.items() for _ in range(rows)]
    return TaskSampler(labels, sampling, seed=0).shares()
