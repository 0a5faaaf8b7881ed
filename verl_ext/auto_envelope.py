"""Length envelopes that follow the lengths of each task's correct responses (`envelope_mode: auto`).

Per task the last `window` lengths of correct responses are kept. From `warmup` of them on, the target of the four
bounds is their `quantiles`, widened so that the plateau reaches at least `margin` of the median to both sides and the
feet twice as far: without that, an envelope that pays for the middle of the lengths would narrow them, then itself,
step by step. The target stays inside the task's static envelope, from `min_start` to `max_end`; a median outside is
taken as that limit, so that the envelope leads back there. Every bound in force moves towards its target by at most
`rate` of the static width a batch, starting from the static envelope. A batch is judged by what the batches before it
made; its own correct responses enter afterwards.

State is plain JSON: `{task: {"lengths": [...], "bounds": [four floats]}}`; JSON brings floats back bit for bit.
"""

from __future__ import annotations

import dataclasses
import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from reward_fns.settings import Envelope

BOUNDS = ("min_start", "peak_start", "peak_end", "max_end")

State = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class AutoEnvelopeSettings:
    """`verl_ext.auto_envelope`."""

    quantiles: tuple[float, float, float, float] = (0.1, 0.25, 0.75, 0.95)
    """Quantiles of the correct lengths for the four bounds: as set, half of the correct responses lie on the plateau
    and one in seven earns nothing. The upper tail is let run out further: it holds the hard problems."""
    margin: float = 0.25
    """Least reach of the plateau to both sides, as a share of the median; the feet reach twice as far. 0.25: correct
    lengths that are all 100 give 50, 75, 125, 150."""
    window: int = 1000
    """Correct responses of a task that are kept: with 100 a batch, the last 10 batches."""
    warmup: int = 100
    """Correct responses of a task before its envelope leaves the static one. With 100 the 5 % tail holds five."""
    rate: float = 0.02
    """Most that a bound moves in a batch, as a share of the static width: 0.02 crosses it in 50 batches."""

    def __post_init__(self) -> None:
        q = self.quantiles
        if len(q) != 4 or not all(0 <= low <= high <= 1 for low, high in itertools.pairwise(q)):
            raise ValueError(f"auto_envelope.quantiles are {q}; four ascending numbers in [0, 1] are needed")
        if not 0 < self.margin <= 1:
            raise ValueError(f"auto_envelope.margin is {self.margin}; it must lie in (0, 1]")
        if not 0 < self.rate <= 1:
            raise ValueError(f"auto_envelope.rate is {self.rate}; it must lie in (0, 1]")
        if not 1 <= self.warmup <= self.window:
            raise ValueError(
                f"auto_envelope.warmup is {self.warmup}; it must lie in 1..window ({self.window}), or the envelope "
                "never leaves the static one"
            )


def envelope_of(state: State, task: str, static: Envelope) -> Envelope:
    """The envelope in force, in whole tokens; the static one before the warm-up is over."""
    bounds = state.get(task, {}).get("bounds")
    # Not `round`: its halves go to even numbers, so that bounds one token apart could meet.
    return Envelope(*(math.floor(bound + 0.5) for bound in _within(bounds, static))) if bounds else static


def observe(
    state: State, lengths: Mapping[str, Sequence[int]], static: Mapping[str, Envelope], settings: AutoEnvelopeSettings
) -> State:
    """State after a batch; `lengths` holds the lengths of its correct responses by task. `state` is left as it is.

    Tasks without a static envelope are left out.
    """
    updated = dict(state)
    for task, envelope in static.items():
        old = state.get(task, {"lengths": [], "bounds": None})
        kept = [*old["lengths"], *(int(length) for length in lengths.get(task, ()))][-settings.window :]
        bounds = old["bounds"]
        if len(kept) >= settings.warmup:
            start = _within(bounds, envelope) if bounds else dataclasses.astuple(envelope)
            bounds = _approach(start, target(kept, envelope, settings), settings.rate * _width(envelope))
        updated[task] = {"lengths": kept, "bounds": bounds}
    return updated


def target(lengths: Sequence[int], static: Envelope, settings: AutoEnvelopeSettings) -> list[float]:
    """Bounds that the lengths ask for, inside the static envelope: ascending, the outer two at least a token apart."""
    low, high = static.min_start, static.max_end
    median, *quantiles = np.quantile(np.asarray(lengths, dtype=np.float64), (0.5, *settings.quantiles)).tolist()
    median = min(max(median, low), high)
    reach = max(settings.margin * median, 1.0)
    wanted = [
        min(quantiles[0], median - 2 * reach),
        min(quantiles[1], median - reach),
        max(quantiles[2], median + reach),
        max(quantiles[3], median + 2 * reach),
    ]
    return [min(max(bound, low), high) for bound in wanted]


def _approach(start: Sequence[float], goal: Sequence[float], most: float) -> list[float]:
    # Clipping is monotone in both, so that bounds stay in ascending order.
    return [min(max(end, begin - most), begin + most) for begin, end in zip(start, goal, strict=True)]


def _within(bounds: Sequence[float], static: Envelope) -> list[float]:
    """Bounds of an earlier run under static limits that the user has changed since."""
    clipped = [min(max(bound, static.min_start), static.max_end) for bound in bounds]
    return clipped if clipped[3] - clipped[0] >= 1 else [float(bound) for bound in dataclasses.astuple(static)]


def _width(envelope: Envelope) -> int:
    return envelope.max_end - envelope.min_start
