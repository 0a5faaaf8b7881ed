"""What a batch's rows are, carried from the trainer to the estimator.

verl hands a registered estimator only rewards, mask, group index and config. The task-aware trainer therefore provides
the labels around verl's own call; without it (stock trainers) there are none and all rows are one task.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Any

import numpy as np


@dataclass(frozen=True)
class BatchLabels:
    task: np.ndarray
    """(N,) label that means "task" for the estimator; any string for padding rows."""
    session: np.ndarray
    """(N,) `{uid}_{session}` of each row: outputs of one trajectory share it."""
    final: np.ndarray
    """(N,) bool, True for the last output of each session: the row whose reward is ranked."""
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)
    """(N,) floats per part of the reward (accuracy, format, structure, length)."""
    memory: dict[str, Any] = field(default_factory=dict)
    """What estimators keep from step to step, by their name; the trainer saves it with its checkpoints."""


_labels: ContextVar[BatchLabels | None] = ContextVar("verl_ext_batch_labels", default=None)


@contextmanager
def provide(labels: BatchLabels) -> Iterator[None]:
    token = _labels.set(labels)
    try:
        yield
    finally:
        _labels.reset(token)


def current(rows: int) -> BatchLabels | None:
    """Labels provided for a batch of `rows` rows, or None; ValueError where they are of another batch."""
    labels = _labels.get()
    if labels is not None and len(labels.task) != rows:
        raise ValueError(f"labels of {len(labels.task)} rows were provided for a batch of {rows} rows")
    return labels


def sessions(keys: list[str]) -> tuple[np.ndarray, np.ndarray]:
    """Session of each TransferQueue key `{uid}_{session}_{index}` and whether it is the session's last output."""
    session = [key.rsplit("_", 1)[0] for key in keys]
    index = [int(key.rsplit("_", 1)[1]) for key in keys]
    last: dict[str, int] = {}
    for name, number in zip(session, index, strict=True):
        last[name] = max(number, last.get(name, number))
    final = [last[name] == number for name, number in zip(session, index, strict=True)]
    return np.array(session, dtype=object), np.array(final, dtype=bool)


def groups_of(session: np.ndarray) -> np.ndarray:
    """(N,) `uid` of each session `{uid}_{session}`: the prompt's group."""
    return np.array([name.rsplit("_", 1)[0] for name in session], dtype=object)
