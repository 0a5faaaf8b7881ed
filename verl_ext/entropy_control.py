"""The coefficient of the entropy term: fixed, warmed up, or controlled per task (`entropy_control: dual`).

Each edge of a task's band has a multiplier of its own, as a constraint `H <= high` or `low <= H` has in a Lagrangian,
but moved in the log domain:

    outside an edge:  c <- c * exp(step * min(|H - edge| / edge, 1))
    otherwise:        c <- c * exp(-decay)

clipped to [entropy_coeff, ceiling], from entropy_coeff on. The distance is relative to the edge: half of the lower one
and one and a half of the upper one are equally bad, however wide the band is. The fixed coefficient is the least, since
inside the band it weighs nothing, and the next excursion need not make up for what was let go. The multiplier of the
edge that the entropy is beyond is the coefficient of the step.

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
    """Growth of log c per step at a distance of the edge itself or more. 0.5: under the default band [0.2, 0.6] an
    entropy of 0.1 raises c by 28 % a step (tenfold in 10 steps), one of 1.0 by 40 % (tenfold in 7)."""
    decay: float = 0.05
    """Fall of log c per step on the right side of the edge. 0.05 halves c in 14 steps; 0 never lets go."""
    ceiling: float = 1.0
    """Largest c: at 1.0 a nat outside costs as much loss as one unit of advantage. A larger `entropy_coeff` stays."""

    def over(self, updates: int) -> DualSettings:
        """The same movement a step where the step is made of several updates, each of which moves the multipliers."""
        return replace(self, step=self.step / updates, decay=self.decay / updates)

    def __post_init__(self) -> None:
        if not self.step > 0:
            raise ValueError(f"entropy_dual.step is {self.step}; it must be greater than 0")
        if not self.decay >= 0:
            raise ValueError(f"entropy_dual.decay is {self.decay}; it must be 0 or more")
        if not 0 < self.ceiling < math.inf:
            raise ValueError(f"entropy_dual.ceiling is {self.ceiling}; it must be greater than 0 and finite")


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

    None: the task's first step. `start`: its `entropy_coeff`, above 0.
    """
    low, high = band
    beyond = (low - entropy) / low if low > entropy else 0.0, (entropy - high) / high if entropy > high else 0.0
    ceiling = max(settings.ceiling, start)
    moved = []
    for c, distance in zip(multipliers or (start, start), beyond, strict=True):
        growth = settings.step * min(distance, 1.0) if distance > 0 else -settings.decay
        moved.append(min(max(c * math.exp(growth), start), ceiling))
    return moved


def coefficient(multipliers: list[float], entropy: float, band: tuple[float, float]) -> float:
    """Coefficient of the edge that the entropy is beyond; inside the band the larger one, which then weighs nothing."""
    if entropy < band[0]:
        return multipliers[0]
    return multipliers[1] if entropy > band[1] else max(multipliers)
