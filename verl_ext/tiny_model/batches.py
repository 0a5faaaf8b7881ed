"""Examples → padded batches, the same for the same seed and step, however often a run is interrupted."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import count
from typing import Any

import torch
from transformers import Qwen3VLProcessor

from verl_ext.tiny_model.rows import DESCRIBE, Example, prompt_text
from verl_ext.tiny_model.tokenizer import TURN_END

Shares = Callable[[str, int], tuple[float, float]]
POOL = 8
"""Batches that are sorted by length together: less padding, still random."""


@dataclass(frozen=True)
class Encoded:
    """Token ids of one example."""

    image: torch.Tensor
    """(3, height, width), uint8."""
    task: str
    turns: dict[str, tuple[list[int], list[int]]]
    """Prompt and response tokens of every way to use the row: "worked", "quick" and, with a caption, "caption"."""

    @property
    def length(self) -> int:
        return sum(map(len, self.turns["worked"]))


def encode(example: Example, processor: Qwen3VLProcessor) -> Encoded:
    tokenizer, images = processor.tokenizer, processor.image_processor
    height, width, _ = example.image.shape
    pads = images.get_number_of_image_patches(height, width, {}) // images.merge_size**2

    def turn(messages: list[dict[str, Any]], reply: str) -> tuple[list[int], list[int]]:
        text = prompt_text(messages, processor).replace(processor.image_token, processor.image_token * pads)
        return tokenizer(text).input_ids, tokenizer(reply + TURN_END).input_ids

    turns = {"worked": turn(example.prompt, example.worked), "quick": turn(example.prompt, example.quick)}
    if example.caption:
        turns["caption"] = turn(DESCRIBE, example.caption)
    return Encoded(image=torch.from_numpy(example.image).permute(2, 0, 1), task=example.task, turns=turns)


def schedule(
    examples: Sequence[Encoded], *, batch: int, seed: int, shares: Shares, first_step: int = 0
) -> Iterator[list[tuple[Encoded, str]]]:
    """Endless batches of (example, turn) from `first_step` on, one pass over all rows after another.

    At every visit of a row, `shares(task, step)` are the probabilities of the turns "caption" and "quick".
    """
    if len(examples) < batch:
        raise ValueError(f"{len(examples)} training rows are too few for a batch of {batch}")
    per_pass = len(examples) // batch
    order: list[list[int]] = []
    for step in count(first_step):
        if not order or step % per_pass == 0:
            order = _one_pass(examples, batch=batch, rng=random.Random(f"pass {seed} {step // per_pass}"))
        coins = random.Random(f"coins {seed} {step}")
        rows = [examples[index] for index in order[step % per_pass]]
        yield [(row, _turn(row, coins.random(), *shares(row.task, step))) for row in rows]


def _turn(row: Encoded, coin: float, caption: float, quick: float) -> str:
    if coin < caption and "caption" in row.turns:
        return "caption"
    return "quick" if caption <= coin < caption + quick else "worked"


def _one_pass(examples: Sequence[Encoded], *, batch: int, rng: random.Random) -> list[list[int]]:
    """Row numbers of every full batch, in random order; `POOL` batches at a time are sorted by length."""
    order = rng.sample(range(len(examples)), len(examples) // batch * batch)
    batches = []
    for start in range(0, len(order), POOL * batch):
        pool = sorted(order[start : start + POOL * batch], key=lambda row: examples[row].length)
        batches += [pool[at : at + batch] for at in range(0, len(pool), batch)]
    rng.shuffle(batches)
    return batches


def collate(pairs: Sequence[tuple[Encoded, str]], processor: Qwen3VLProcessor) -> dict[str, torch.Tensor]:
    """Padded on the right and without a mask: causal attention never sees the padding, and the loss leaves it out."""
    turns = [example.turns[turn] for example, turn in pairs]
    longest = max(len(prompt) + len(reply) for prompt, reply in turns)
    pad = processor.tokenizer.pad_token_id
    ids = torch.full((len(pairs), longest), pad)
    labels = torch.full_like(ids, -100)
    for row, (prompt, reply) in enumerate(turns):
        start, end = len(prompt), len(prompt) + len(reply)
        ids[row, :end] = torch.tensor(prompt + reply)
        labels[row, start:end] = ids[row, start:end]
    pixels = processor.image_processor([example.image for example, _ in pairs], return_tensors="pt")
    return {
        "input_ids": ids,
        "labels": labels,
        "mm_token_type_ids": (ids == processor.image_token_id).int(),
        "pixel_values": pixels["pixel_values"],
        "image_grid_thw": pixels["image_grid_thw"],
    }
