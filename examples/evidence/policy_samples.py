"""Responses sampled from a policy, and the gradient of every response's log-probability.

transformers alone, at temperature 1 and in float32: what was logged of a run's rollouts is text, whose tokens do not
always come back by encoding it.

Axes: N responses, those of a prompt side by side; P parameters.
"""

from __future__ import annotations

import random
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from transformers import Qwen3VLForConditionalGeneration, Qwen3VLProcessor

from verl_ext.tiny_model.fast import fast_vision
from verl_ext.tiny_model.rows import Example, prompt_text, to_example

MAX_TOKENS = 96
"""The quickstart's `data.max_response_length`."""
SHARD = "actor/model_world_size_1_rank_0.pt"
BATCH = 96


@dataclass(frozen=True)
class Policy:
    model: Qwen3VLForConditionalGeneration
    processor: Qwen3VLProcessor


def load_policy(folder: Path, checkpoint: Path | None = None) -> Policy:
    """The model of a folder, or its shape with the weights of a checkpoint (`global_step_N`) of one FSDP rank."""
    model = Qwen3VLForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()
    if checkpoint is not None:
        # Our own file; DTensors are no plain weights.
        state = torch.load(checkpoint / SHARD, map_location="cpu", weights_only=False)
        model.load_state_dict({name: getattr(value, "_local_tensor", value) for name, value in state.items()})
    return Policy(model, Qwen3VLProcessor.from_pretrained(folder))


def last_checkpoint(run: Path) -> Path | None:
    """The latest one that still has its weights."""
    found = [path for path in (run / "checkpoints").glob("global_step_*") if (path / SHARD).exists()]
    return max(found, key=lambda path: int(path.name.rsplit("_", 1)[1]), default=None)


def choose(rows: Iterable[Mapping[str, Any]], *, prompts: int, seed: int) -> list[Example]:
    """So many rows of every task, tasks in alphabetical order."""
    by_task = defaultdict(list)
    for row in rows:
        by_task[row["extra_info"]["task"]].append(row)
    chosen = [row for task in sorted(by_task) for row in random.Random(f"{seed} {task}").sample(by_task[task], prompts)]
    return [to_example(row, thinking_tag="thinking") for row in chosen]


def encode(policy: Policy, examples: Sequence[Example]) -> dict[str, Tensor]:
    texts = [prompt_text(example.prompt, policy.processor) for example in examples]
    images = [example.image for example in examples]
    return dict(policy.processor(text=texts, images=images, padding=True, padding_side="left", return_tensors="pt"))


@torch.no_grad()
def sample(policy: Policy, examples: Sequence[Example], *, responses: int, seed: int) -> list[list[int]]:
    """Tokens of `responses` responses to every prompt, with the token that ends them unless they were cut off."""
    torch.manual_seed(seed)
    ends = set(policy.model.generation_config.eos_token_id)
    found = []
    for first in range(0, len(examples), BATCH // responses):
        inputs = encode(policy, examples[first : first + BATCH // responses])
        tokens = policy.model.generate(
            **inputs, do_sample=True, temperature=1.0, top_k=0, top_p=1.0,
            num_return_sequences=responses, max_new_tokens=MAX_TOKENS,
        )  # fmt: skip
        found += [_until(own, ends) for own in tokens[:, inputs["input_ids"].shape[1] :].tolist()]
    return found


def _until(tokens: list[int], ends: set[int]) -> list[int]:
    last = next((at for at, token in enumerate(tokens) if token in ends), len(tokens) - 1)
    return tokens[: last + 1]


def log_probs(policy: Policy, prompt: Mapping[str, Tensor], response: Sequence[int]) -> Tensor:
    """log pi of every response token, differentiable; `prompt` is one encoded prompt without padding."""
    added = torch.tensor([response])
    inputs = dict(prompt)
    inputs["input_ids"] = torch.cat([prompt["input_ids"], added], 1)
    for name, fill in (("attention_mask", 1), ("mm_token_type_ids", 0)):
        inputs[name] = torch.cat([prompt[name], torch.full_like(added, fill, dtype=prompt[name].dtype)], 1)
    logits = policy.model(**inputs, use_cache=False, logits_to_keep=len(response) + 1).logits[0, :-1]
    return torch.log_softmax(logits, -1).gather(1, added.T)[:, 0]


def gradients(policy: Policy, example: Example, responses: Sequence[Sequence[int]]) -> Iterator[Tensor]:
    """Gradient (P,) of the sum of the response tokens' log-probabilities, response by response."""
    prompt, parameters = encode(policy, [example]), list(policy.model.parameters())
    known: dict[tuple[int, ...], Tensor] = {}
    for response in map(tuple, responses):
        if response not in known:  # a prompt's responses are often the same
            with fast_vision(policy.model):
                total = log_probs(policy, prompt, response).sum()
                parts = torch.autograd.grad(total, parameters)
            known[response] = torch.cat([part.reshape(-1) for part in parts])
        yield known[response]
