"""Batches of rewards to measure estimators on: recorded by stored runs, or synthetic ones from a seed.

Axes: N responses of a batch, RESPONSES of a prompt side by side.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

RESPONSES = 8
PROMPTS = 8
"""Prompts of each task in a synthetic batch."""
SCALE, OUTLIER, OUTLIER_SHARE = 10.0, 20.0, 1 / 20
PARTS = ("accuracy", "format", "structure")
Draw = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


@dataclass(frozen=True)
class Batch:
    """What an estimator sees of a step; arrays (N,)."""

    task: np.ndarray
    score: np.ndarray
    """The composed reward."""
    parts: dict[str, np.ndarray]
    """By the names of PARTS."""
    tokens: np.ndarray

    @property
    def group(self) -> np.ndarray:
        return np.arange(len(self.task)) // RESPONSES

    def with_rewards(self, change: Callable[[np.ndarray], np.ndarray]) -> Batch:
        """The composed reward and its accuracy part changed alike."""
        return replace(self, score=change(self.score), parts={**self.parts, "accuracy": change(self.parts["accuracy"])})

    @property
    def right(self) -> np.ndarray:
        """The verdict of the offline tasks: their reward is 0.5 or more where they are right (IoU of 0.5, point inside,
        number within 5 %), and less elsewhere. For documents, whose verdict is graded: a similarity over 0.55."""
        return self.parts["accuracy"] >= 0.5

    def zero_signal(self, epsilon: float = 1e-6) -> np.ndarray:
        """True for responses of groups in which the reward and all its parts tie."""
        tied = np.ones(len(self.task) // RESPONSES, dtype=bool)
        for values in (self.score, *self.parts.values()):
            tied &= np.ptp(values.reshape(-1, RESPONSES), axis=1) <= epsilon
        return np.repeat(tied, RESPONSES)


def recorded(path: Path) -> list[Batch]:
    """The steps of a stored run, in their order; ValueError where the responses of a prompt are not complete."""
    steps = json.loads(gzip.decompress(path.read_bytes())).get("rewards") or {}
    batches = []
    for step in sorted(steps, key=int):
        task, score, accuracy, form, structure, tokens = (np.array(column) for column in zip(*steps[step], strict=True))
        if len(task) % RESPONSES or (task.reshape(-1, RESPONSES) != task[::RESPONSES, None]).any():
            raise ValueError(f"{path}, step {step}: {len(task)} rewards are no whole groups of {RESPONSES} of one task")
        parts = dict(zip(PARTS, (column.astype(float) for column in (accuracy, form, structure)), strict=True))
        batches.append(Batch(task, score.astype(float), parts, np.maximum(tokens.astype(int), 1)))
    return batches


def binary(ease: float, firmness: float = 2.0) -> Draw:
    """Right or wrong; a prompt's rate is Beta-distributed with mean `ease`."""

    def draw(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        rate = rng.beta(firmness * ease, firmness * (1 - ease), (shape[0], 1))
        return (rng.random(shape) < rate).astype(float)

    return draw


def iou(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Boxes: a prompt's own mean overlap, one answer in seven beside the object."""
    mean = rng.uniform(0.2, 0.9, (shape[0], 1))
    return rng.beta(12 * mean, 12 * (1 - mean), shape) * (rng.random(shape) > 1 / 7)


def anls(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Texts: exact, or wrong (below the threshold of 0.5), or a few letters off."""
    kind = rng.random(shape) + rng.uniform(-0.3, 0.3, (shape[0], 1))
    return np.where(kind > 0.5, 1.0, np.where(kind < 0.25, 0.0, rng.uniform(0.5, 1.0, shape)))


def relaxed(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Numbers: 1 within 5 %, falling with the relative error, which has heavy tails."""
    error = 0.1 * np.abs(rng.standard_t(2, shape)) * rng.uniform(0.2, 4, (shape[0], 1))
    return np.where(error <= 0.05, 1.0, np.maximum(0.0, 1 - error))


def points(rng: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
    """Share of four points inside a mask."""
    return rng.binomial(4, rng.uniform(0.05, 0.95, (shape[0], 1)), shape) / 4


SYNTHETIC: dict[str, Draw] = {
    "binary, 10 % right": binary(0.1),
    "binary, 50 % right": binary(0.5),
    "binary, 90 % right": binary(0.9),
    "IoU": iou,
    "ANLS": anls,
    "relaxed number": relaxed,
    "points in mask": points,
    "narrow (0.80 to 0.83)": lambda rng, shape: rng.uniform(0.80, 0.83, shape),
}


def synthetic(seed: int, steps: int) -> list[Batch]:
    """PROMPTS prompts of every kind a step; 3 % of the responses in the wrong format, which also costs the accuracy."""
    rng = np.random.default_rng(seed)
    batches = []
    for _ in range(steps):
        accuracy = np.concatenate([draw(rng, (PROMPTS, RESPONSES)).ravel() for draw in SYNTHETIC.values()])
        form = (rng.random(len(accuracy)) > 0.03).astype(float)
        accuracy = accuracy * form
        parts = dict(zip(PARTS, (accuracy, form, np.zeros_like(form)), strict=True))
        task = np.repeat(list(SYNTHETIC), PROMPTS * RESPONSES)
        batches.append(Batch(task, 0.9 * accuracy + 0.1 * form, parts, rng.integers(8, 64, len(task))))
    return batches


def add_noise(batch: Batch, deviation: float, rng: np.random.Generator) -> Batch:
    noise = rng.normal(0, deviation, len(batch.task))
    return batch.with_rewards(lambda rewards: rewards + noise)


def spoilt(batch: Batch, task: str, kind: str, seed: int) -> Batch:
    """One task's rewards times SCALE, or one in twenty of them times OUTLIER; the other tasks' as they were."""
    hit = batch.task == task
    if kind == "outliers":
        hit &= np.random.default_rng(seed).random(len(hit)) < OUTLIER_SHARE
    return batch.with_rewards(lambda rewards: np.where(hit, rewards * (SCALE if kind == "scale" else OUTLIER), rewards))
