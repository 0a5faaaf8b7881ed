"""The policy gradient of every task under every estimator: its share, how evenly shares are spread, and its direction.

    python examples/evidence/task_gradients.py               the grid's start; writes results/gradients.{json,md}
    python examples/evidence/task_gradients.py --run RUN     the last checkpoint of a run; writes RUN/gradients.json

Samples PROMPTS prompts of every task, 8 responses each, from the policy, and repeats that with other prompts and
responses (draws). A task's gradient is that of verl's loss at its first update, where the ratio is 1:

    g_t = 1/N sum_{i in t} A_i c_i sum_tokens d log pi        c_i = 1 / tokens of i (seq-mean-token-mean)

with c_i constant for Dr.GRPO, as in its arm. Advantages are made by verl's registry over the whole draw. A run is
measured with its own reward and estimator too; grid.py stores that in the run's record.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from omegaconf import OmegaConf
from tqdm import tqdm

from reward_fns.score import compute_score
from verl_ext import state_file
from verl_ext.reward_manager import VerlExtRewardManager
from verl_ext.tiny_model.rows import Example, read_rows

sys.path.insert(0, str(Path(__file__).parent))
import gradient_tables
import policy_samples
from advantages import ESTIMATORS, Estimator, advantages
from gradient_tables import OWN
from grid import MODEL, RESULTS, git, model_hash, versions
from policy_samples import MAX_TOKENS, Policy
from reward_batches import PARTS, RESPONSES, Batch

ROOT = Path(__file__).parents[2]
PROMPTS = 4
TOKEN_SUM = ("Dr.GRPO",)
"""Estimators whose loss sums over tokens in place of taking their mean."""
Judge = Callable[[Example, list[int], str], dict[str, Any]]


@dataclass(frozen=True)
class Own:
    """How a run was trained."""

    estimator: Estimator
    judge: Judge
    memory: Mapping[str, Any]
    """What its estimator keeps between steps, from its checkpoint."""
    token_sum: bool
    """Whether its loss sums over tokens."""


def plain(example: Example, _tokens: list[int], text: str) -> dict[str, Any]:
    """Accuracy and format, as in the arms without shaping."""
    return compute_score(example.data_source, text, example.ground_truth, example.extra_info)


def batch_of(judge: Judge, policy: Policy, examples: Sequence[Example], responses: Sequence[list[int]]) -> Batch:
    decode, results = policy.processor.tokenizer.decode, []
    for at, tokens in enumerate(responses):
        results.append(judge(examples[at // RESPONSES], tokens, decode(tokens, skip_special_tokens=True)))
    return Batch(
        task=np.array([result["task"] for result in results]),
        score=np.array([result["score"] for result in results]),
        parts={name: np.array([result[name] for result in results]) for name in PARTS},
        tokens=np.array([len(tokens) for tokens in responses]),
    )


def measure(policy: Policy, data: Path, *, seeds: Sequence[int], own: Own | None = None) -> dict[str, Any]:
    rows = list(read_rows(data))
    draws = []
    for seed in tqdm(seeds, desc="draws"):
        examples = policy_samples.choose(rows, prompts=PROMPTS, seed=seed)
        responses = policy_samples.sample(policy, examples, responses=RESPONSES, seed=seed)
        batch = batch_of(plain, policy, examples, responses)
        weights = {name: weigh(one, batch, token_sum=name in TOKEN_SUM) for name, one in ESTIMATORS.items()}
        silent = dict.fromkeys(weights, batch.zero_signal())
        if own is not None:
            judged = batch_of(own.judge, policy, examples, responses)
            weights[OWN] = weigh(own.estimator, judged, token_sum=own.token_sum, memory=own.memory)
            silent[OWN] = judged.zero_signal()
        figures = figures_of(policy, examples, responses, weights, silent)
        draws.append({"estimators": figures, "accuracy": accuracies(batch)})
    return {"prompts": PROMPTS, "responses": RESPONSES, "seeds": list(seeds), "draws": draws}


def accuracies(batch: Batch) -> dict[str, float]:
    accuracy = batch.parts["accuracy"]
    return {task: float(accuracy[batch.task == task].mean()) for task in sorted(set(batch.task))}


def weigh(
    estimator: Estimator, batch: Batch, *, token_sum: bool, memory: Mapping[str, Any] | None = None
) -> np.ndarray:
    """A_i c_i / N of every response."""
    value = advantages(estimator, [batch], memory)[0]
    return value / (len(value) * (MAX_TOKENS if token_sum else batch.tokens))


def figures_of(
    policy: Policy, examples: Sequence[Example], responses: Sequence[list[int]],
    weights: Mapping[str, np.ndarray], silent: Mapping[str, np.ndarray],
) -> dict[str, dict[str, Any]]:  # fmt: skip
    """Figures of every estimator: norms by task, that of their sum, and what groups without signal (`silent`) add."""
    tasks = sorted({example.task for example in examples})
    use = torch.from_numpy(np.stack(list(weights.values()))).float()
    unwarranted = use * torch.from_numpy(np.stack(list(silent.values())))
    size = sum(p.numel() for p in policy.model.parameters())
    sums, pushed = torch.zeros(len(tasks), len(use), size), torch.zeros(len(use), size)
    for at, example in enumerate(tqdm(examples, desc="gradients", leave=False)):
        own = slice(at * RESPONSES, (at + 1) * RESPONSES)
        gradient = torch.stack(list(policy_samples.gradients(policy, example, responses[own])))
        sums[tasks.index(example.task)] += use[:, own] @ gradient
        pushed += unwarranted[:, own] @ gradient
    result = {}
    for at, (name, weight) in enumerate(weights.items()):
        norms = sums[:, at].norm(dim=1).tolist()
        result[name] = {
            "norm": dict(zip(tasks, norms, strict=True)),
            "whole": float(sums[:, at].sum(0).norm()),
            "silent_groups": float(silent[name].mean()),
            "silent_weight": float(np.abs(weight[silent[name]]).sum() / max(np.abs(weight).sum(), 1e-12)),
            "silent_push": float(pushed[at].norm()),
            **direction(sums[:, at]),
        }
    return result


def direction(vectors: torch.Tensor) -> dict[str, float | None]:
    """Cosine between the tasks' gradients (tasks, P): mean and least over the pairs whose gradients are not 0."""
    alive = vectors[vectors.norm(dim=1) > 0]
    unit = alive / alive.norm(dim=1, keepdim=True)
    pairs = (unit @ unit.T)[tuple(torch.triu_indices(len(alive), len(alive), offset=1))]
    return {"cosine": float(pairs.mean()), "least_cosine": float(pairs.min())} if len(pairs) else {}


def of_run(run: Path) -> tuple[Policy, Path, Own, str]:
    """Policy of the last checkpoint, training data, how it was trained, and the checkpoint's name."""
    checkpoint = policy_samples.last_checkpoint(run)
    if checkpoint is None:
        raise ValueError(f"{run} has no checkpoint with weights ({policy_samples.SHARD})")
    config = OmegaConf.load(run / "config.yaml")
    policy = policy_samples.load_policy(Path(config.actor_rollout_ref.model.path), checkpoint)
    algorithm = OmegaConf.to_container(config.algorithm, resolve=True)
    by_std = {"norm_adv_by_std_in_grpo": config.algorithm.norm_adv_by_std_in_grpo}
    name = config.algorithm.adv_estimator
    estimator = Estimator(name, algorithm, by_std if name == "grpo" else {})
    memory = state_file.load(checkpoint / "verl_ext.json")
    token_sum = config.actor_rollout_ref.actor.loss_agg_mode == "seq-mean-token-sum-norm"
    own = Own(estimator, judge_of(config, policy), memory, token_sum)
    return policy, Path(config.data.train_files), own, checkpoint.name


def judge_of(config: Any, policy: Policy) -> Judge:
    """The reward of a run, by its own reward manager."""
    custom, function = config.reward.custom_reward_function, None
    if custom.path:
        spec = importlib.util.spec_from_file_location("custom_reward", ROOT / custom.path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        function = getattr(module, custom.name)
    manager = VerlExtRewardManager(config, policy.processor.tokenizer, function)

    # No loop: the arms' functions are not coroutines.
    score = manager._score if function is None else partial(manager._custom_score, None)

    def judge(example: Example, tokens: list[int], _text: str) -> dict[str, Any]:
        row = {"data_source": example.data_source, "reward_model": {"ground_truth": example.ground_truth}}
        extra = {**example.extra_info, "response_tokens": len(tokens), "truncated": len(tokens) >= MAX_TOKENS}
        return score(row, tokens, extra)

    return judge


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--run", type=Path, help="a run folder with checkpoints")
    parser.add_argument("--cache", type=Path, default=ROOT / "runs" / "cache", help="holds the quickstart's data/")
    parser.add_argument("--draws", type=int, default=3, help="default: %(default)s")
    options = parser.parse_args()
    seeds = range(options.draws)
    if options.run:
        policy, data, own, checkpoint = of_run(options.run)
        result = {"checkpoint": checkpoint} | measure(policy, data, seeds=seeds, own=own)
        state_file.save(options.run / "gradients.json", result)
        return
    policy = policy_samples.load_policy(MODEL)
    result = {
        "checkpoint": "warm start",
        "model": model_hash(),
        "commit": git("rev-parse", "HEAD"),
        "versions": versions(),
    }
    result |= measure(policy, options.cache / "data" / "train.parquet", seeds=seeds)
    state_file.save(RESULTS / "gradients.json", result)
    print("\n".join(gradient_tables.write(RESULTS)))


if __name__ == "__main__":
    main()
