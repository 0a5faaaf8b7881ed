"""Supervised steps from a teacher of mixed quality: hasty answers for most rows, careful ones for the rest."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from tqdm import tqdm
from transformers import Qwen3VLForConditionalGeneration, Qwen3VLProcessor

from verl_ext.tiny_model.batches import Encoded, collate, schedule
from verl_ext.tiny_model.fast import fast_vision, response_loss
from verl_ext.tiny_model.muon import Muon

STATE = "warm_start.pt"
"""Where an interrupted run left off; gone when the model is finished."""


@dataclass(frozen=True)
class Recipe:
    """Settings of the warm start."""

    steps: int = 1500
    batch: int = 48
    muon_lr: float = 6e-3
    """For the matrices inside the layers."""
    adam_lr: float = 3e-3
    """For embeddings, norms, biases and the patch convolution."""
    warmup: int = 60
    floor: float = 0.05
    """Learning rate at the end, as a share of the peak."""
    stages: tuple[float, float] = (0.35, 0.75)
    """Ends of the first two stages, as shares of the steps: captions; worked answers; then the mixed teacher."""
    caption: tuple[float, float] = (0.6, 0.1)
    """Share of the rows that are described in the first two stages."""
    quick: tuple[float, float, float] = (0.0, 0.1, 0.65)
    """Share of the rows that the hasty teacher answers, by stage."""
    quick_by_task: dict[str, float] = field(default_factory=dict)
    """Where the last of them differs."""

    def shares(self, task: str, step: int) -> tuple[float, float]:
        """Probabilities that a row of `task` is described, and that the hasty teacher answers it."""
        stage = sum(step >= end * self.steps for end in self.stages)
        if stage == 2:
            return 0.0, self.quick_by_task.get(task, self.quick[2])
        return self.caption[stage], self.quick[stage]


def optimizers(model: torch.nn.Module, recipe: Recipe) -> list[torch.optim.Optimizer]:
    inner, rest = [], []
    for name, weight in model.named_parameters():
        (inner if weight.ndim == 2 and "embed" not in name else rest).append(weight)
    adam = torch.optim.AdamW(rest, lr=recipe.adam_lr, betas=(0.9, 0.98), weight_decay=0.0)
    return [Muon(inner, lr=recipe.muon_lr), adam]


def rate(step: int, recipe: Recipe) -> float:
    """Share of the peak learning rate: linear warm-up, then half a cosine down to `floor`."""
    if step < recipe.warmup:
        return (step + 1) / recipe.warmup
    done = (step - recipe.warmup) / max(1, recipe.steps - recipe.warmup)
    return recipe.floor + (1 - recipe.floor) * 0.5 * (1 + math.cos(math.pi * min(1.0, done)))


def train(
    model: Qwen3VLForConditionalGeneration, processor: Qwen3VLProcessor, examples: Sequence[Encoded],
    *, recipe: Recipe, seed: int, state: Path, progress: bool = True, save_every: int = 200,
) -> list[float]:  # fmt: skip
    """Runs `recipe.steps` steps on `model` in place; returns the loss of each.

    Saves to the file `state` on the way and goes on from it if it is there: the same weights as without interruption.
    """
    optims = optimizers(model, recipe)
    losses = _restore(model, optims, state)
    batches = schedule(examples, batch=recipe.batch, seed=seed, shares=recipe.shares, first_step=len(losses))
    model.train()
    with (
        fast_vision(model),
        tqdm(total=recipe.steps, initial=len(losses), unit="step", disable=not progress, desc="warm start") as bar,
    ):
        while len(losses) < recipe.steps:
            losses.append(_step(model, optims, collate(next(batches), processor), rate(len(losses), recipe)))
            bar.update()
            bar.set_postfix(loss=f"{sum(losses[-20:]) / len(losses[-20:]):.3f}", refresh=False)
            if len(losses) % save_every == 0:
                _store(model, optims, losses, state)
    return losses


def _step(
    model: Qwen3VLForConditionalGeneration, optims: list[torch.optim.Optimizer], batch: dict[str, Any], scale: float
) -> float:
    loss = response_loss(model, batch)
    if not torch.isfinite(loss):
        raise ValueError(f"the loss of the warm start is {loss.item()}; lower the learning rates")
    loss.backward()
    torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
    for optim in optims:
        for group in optim.param_groups:
            group.setdefault("peak", group["lr"])
            group["lr"] = group["peak"] * scale
        optim.step()
        optim.zero_grad(set_to_none=True)
    return loss.item()


def _store(model: torch.nn.Module, optims: list[torch.optim.Optimizer], losses: list[float], path: Path) -> None:
    partial = path.with_suffix(".partial")
    torch.save({"model": model.state_dict(), "optims": [o.state_dict() for o in optims], "losses": losses}, partial)
    os.replace(partial, path)


def _restore(model: torch.nn.Module, optims: list[torch.optim.Optimizer], path: Path) -> list[float]:
    if not path.exists():
        return []
    saved = torch.load(path, weights_only=True)
    model.load_state_dict(saved["model"])
    for optim, values in zip(optims, saved["optims"], strict=True):
        optim.load_state_dict(values)
    return list(saved["losses"])
