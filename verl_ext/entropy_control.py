"""The coefficient of the entropy term: fixed, warmed up, or controlled per task (`entropy_control: dual`).

Each edge of a task's band has a multiplier of its own, as a constraint `H <= high` or `low <= H` has in a Lagrangian,
but moved in the log domain:

    outside an edge:  c <- c * exp(step * min(distance / width, 1))     distance in nats, width = high - low
    otherwise:        c <- c * exp(-decay)

clipped to [floor, ceiling]. A multiplicative rise from a floor above 0 means that no value absorbs, and that a rise by
the factor 10 takes the same time from everywhere. The multiplier of the edge that the entropy is beyond is the
coefficient of the step; it starts at `entropy_coeff`.

State is plain JSON: `{task: [c of the lower edge, c of the upper edge]}`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace

Multipliers = Mapping[str, list[float]]
CONTROLS = ("fixed", "dual")


@dataclass(frozen=True)
class DualSettings:
    """`verl_ext.entropy_dual`."""

    step: float = 0.5
    """Growth of log c per step at a distance of a whole band width or more. 0.5: under the default band [0.2, 0.6] an
    entropy of 0.1 raises c by 13 % a step (tenfold in 19 steps), one of 1.0 by 65 % (tenfold in 5)."""
    decay: float = 0.05
    """Fall of log c per step on the right side of the edge. 0.05 halves c in 14 steps; 0 never lets go."""
    floor: float = 1e-3
    """Least c, above 0. From 1e-3 an entropy a quarter of the width outside is back at 0.02 after 24 steps."""
    ceiling: float = 1.0
    """Largest c: at 1.0 a nat outside costs as much loss as one unit of advantage."""

    def over(self, updates: int) -> DualSettings:
        """The same movement a step where the step is made of several updates, each of which moves the multipliers."""
        return replace(self, step=self.step / updates, decay=self.decay / updates)

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"entropy_dual.step is {self.step}; it must be greater than 0")
        if not self.decay >= 0:
            raise ValueError(f"entropy_dual.decay is {self.decay}; it must be 0 or more")
        if not 0 < self.floor <= self.ceiling < math.inf:
            raise ValueError(
                f"entropy_dual.floor is {self.floor} and ceiling {self.ceiling}; 0 < floor <= ceiling is needed"
            )


def ramp(step: int, warmup_steps: int) -> float:
    """Factor of the coefficient at a step (from 1): linear, 1 / warmup_steps at the first, 1 from warmup_steps on."""
    return min(1.0, step / warmup_steps) if warmup_steps > 0 else 1.0


def update(
    multipliers: list[float] | None,
    entropy: float,
    band: tuple[float, float],
    *,
    start: float,
    settings: DualSettings,
) -> list[float]:
    """Multipliers [lower edge, upper edge] after a step in which the task's mean token entropy was `entropy`.

    None: the task's first step, which begins at `start` (its `entropy_coeff`).
    """
    low, high = band
    beyond = (low - entropy, entropy - high)
    old = multipliers or [start, start]
    return [_moved(c, distance / (high - low), settings) for c, distance in zip(old, beyond, strict=True)]


def coefficient(multipliers: list[float], entropy: float, band: tuple[float, float]) -> float:
    """Coefficient of the edge that the entropy is beyond; inside the band the larger one, which then weighs nothing."""
    if entropy < band[0]:
        return multipliers[0]
    return multipliers[1] if entropy > band[1] else max(multipliers)


def _moved(c: float, distance: float, settings: DualSettings) -> float:
    growth = settings.step * min(distance, 1.0) if distance > 0 else -settings.decay
    return min(max(c * math.exp(growth), settings.floor), settings.ceiling)
