"""Training rows by task weight: which task comes next is fixed by weights, which of its rows by a seeded shuffle.

Tasks take turns by smooth weighted round robin, so that any stretch of rows holds each task's share to within one row
(a random draw would not). Each task goes through all its rows before one comes again. The state is small, plain data;
`StatefulDataLoader` keeps it in verl's checkpoints.

weight of a task = base (its number of rows, or 1) x `weights[task]` x need;   need = 1 / zero-signal share, in
[1, need_bound]. The share is a moving average over steps of the task's groups that teach nothing.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from torch.utils.data import Sampler

BASES = ("rows", "equal")
NEED_DECAY = 0.9


@dataclass(frozen=True)
class SamplingSettings:
    """`verl_ext.sampling`."""

    base: str = "rows"
    """rows: tasks in proportion to their rows, as in verl; equal: every task alike."""
    weights: Mapping[str, float] = field(default_factory=dict)
    """Factor on the base per task; 0 leaves a task out."""
    by_need: bool = False
    """Tasks whose groups seldom teach nothing come more often, those that are mastered or hopeless less."""
    need_bound: float = 4.0
    """Largest factor between two tasks through need."""

    @property
    def active(self) -> bool:
        return self.by_need or self.base != "rows" or bool(self.weights)


class TaskSampler(Sampler[int]):
    def __init__(self, tasks: Sequence[str], settings: SamplingSettings, *, seed: int) -> None:
        """`tasks` holds one label per row of the data set. ValueError for a weight without rows."""
        label = np.asarray(tasks, dtype=object)
        self.rows = {str(name): np.flatnonzero(label == name) for name in sorted(set(tasks))}
        unknown = [name for name in settings.weights if name not in self.rows]
        if unknown:
            raise ValueError(
                f"verl_ext.sampling.weights: the training data has no rows of {', '.join(unknown)}; "
                f"its tasks are {', '.join(self.rows)}"
            )
        self.settings, self.seed, self.length = settings, seed, len(label)
        self.base = {
            name: (len(rows) if settings.base == "rows" else 1.0) * settings.weights.get(name, 1.0)
            for name, rows in self.rows.items()
        }
        if not any(self.base.values()):
            raise ValueError("verl_ext.sampling.weights are 0 for every task; give one a weight")
        self.credit = dict.fromkeys(self.rows, 0.0)
        self.drawn = dict.fromkeys(self.rows, 0)
        self.zero_share: dict[str, float] = {}
        self.yielded = 0
        self._order: dict[str, tuple[int, np.ndarray]] = {}

    def __len__(self) -> int:
        return self.length

    def __iter__(self) -> Iterator[int]:
        """One pass of as many rows as the data set has; the next pass goes on where it ended."""
        while self.yielded < self.length:
            self.yielded += 1
            yield self._next()
        self.yielded = 0

    def shares(self) -> dict[str, float]:
        """Share of the coming rows per task; they sum to 1."""
        weight = {name: base * self._need(name) for name, base in self.base.items()}
        total = sum(weight.values())
        return {name: value / total for name, value in weight.items()}

    def update(self, zero_signal: Mapping[str, float]) -> None:
        """Learn a step's share of groups without signal per task; does nothing unless `by_need`."""
        if not self.settings.by_need:
            return
        for name, share in zero_signal.items():
            old = self.zero_share.get(name, share)
            self.zero_share[name] = NEED_DECAY * old + (1 - NEED_DECAY) * share

    def _need(self, name: str) -> float:
        if name not in self.zero_share:
            return 1.0
        return 1.0 / max(self.zero_share[name], 1.0 / self.settings.need_bound)

    def _next(self) -> int:
        for name, share in self.shares().items():
            self.credit[name] += share
        name = max(self.credit, key=self.credit.__getitem__)
        self.credit[name] -= 1.0
        turn, place = divmod(self.drawn[name], len(self.rows[name]))
        self.drawn[name] += 1
        return int(self._shuffled(name, turn)[place])

    def _shuffled(self, name: str, turn: int) -> np.ndarray:
        if self._order.get(name, (-1, None))[0] != turn:
            random = np.random.default_rng([self.seed, zlib.crc32(name.encode()), turn])
            self._order[name] = (turn, random.permutation(self.rows[name]))
        return self._order[name][1]

    def state_dict(self) -> dict[str, Any]:
        return {
            "yielded": self.yielded,
            "credit": dict(self.credit),
            "drawn": dict(self.drawn),
            "zero_share": dict(self.zero_share),
        }

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        if set(state.get("drawn", ())) != set(self.rows):
            raise ValueError(
                f"the checkpoint's sampler knows the tasks {sorted(state.get('drawn', ()))}, the training data has "
                f"{sorted(self.rows)}: resume with the same data and verl_ext.sampling, or start a new run"
            )
        self.yielded = state["yielded"]
        self.credit, self.drawn = dict(state["credit"]), dict(state["drawn"])
        self.zero_share = dict(state["zero_share"])


def zero_signal_shares(
    task: np.ndarray, group: np.ndarray, accuracy: np.ndarray, *, dropped: Mapping[str, int]
) -> dict[str, float]:
    """Share of each task's groups whose accuracies are all equal, those that filtering dropped included.

    `task`, `group`, `accuracy` are (N,), one entry a response. Groups that differ by format or length alone teach
    nothing of the task.
    """
    tied: dict[str, list[bool]] = {}
    for name in np.unique(group):
        own = group == name
        tied.setdefault(str(task[own][0]), []).append(bool(np.ptp(accuracy[own]) == 0))
    shares = {}
    for name in {*tied, *(name for name, count in dropped.items() if count)}:
        lost, flags = dropped.get(name, 0), tied.get(name, [])
        shares[name] = (lost + sum(flags)) / (lost + len(flags))
    return shares
