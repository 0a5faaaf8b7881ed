"""Weights and limits of the composed reward."""

from __future__ import annotations

import math
from dataclasses import dataclass

CATEGORIES = ("general_vqa", "math_vqa", "chart_vqa", "spatial_reasoning", "document", "grounding")
THINKING_TAGS = ("thinking", "think")
LENGTH_GATES = ("correct", "positive", "always")
LENGTH_SCOPES = ("response", "thinking")


@dataclass(frozen=True, slots=True)
class Envelope:
    """Trapezoid on the response length in tokens; see `length.envelope_value`."""

    min_start: int
    """Lengths up to here earn 0."""
    peak_start: int
    """From here on the full part; linear from `min_start`."""
    peak_end: int
    """Up to here the full part."""
    max_end: int
    """Lengths from here on earn 0; linear from `peak_end`."""

    def __post_init__(self) -> None:
        bounds = (self.min_start, self.peak_start, self.peak_end, self.max_end)
        if not all(isinstance(bound, int) and not isinstance(bound, bool) for bound in bounds):
            raise ValueError(f"envelope bounds must be integers (tokens), got {bounds}")
        if self.min_start < 0 or list(bounds) != sorted(bounds) or self.min_start == self.max_end:
            raise ValueError(f"envelope must satisfy 0 <= min_start <= peak_start <= peak_end <= max_end, got {bounds}")


@dataclass(frozen=True, slots=True)
class RewardSettings:
    """How `score.compute_score` weighs the parts of one task's reward. Raises ValueError naming every bad field."""

    format_weight: float = 0.1
    """w_f, weight of the format part, 0..1."""
    length_weight: float = 0.1
    """w_l, weight of the length part; goes to accuracy without an envelope or a token count."""
    structure_weight: float = 0.1
    """w_s, added on top for tasks whose answer is JSON."""
    length_gate: str = "correct"
    """Where the length part counts: "correct" where accuracy >= 0.5, "positive" where accuracy > 0 (a box with IoU 0.2
    is paid for its length too), "always" everywhere (a wrong answer of the right length earns w_l)."""
    length_scope: str = "response"
    """Tokens that the envelope sees: "response" all of them, "thinking" those that begin before the last `<answer>`.
    What tools wrote into a response of several turns counts too: verl's reward call does not tell it apart."""
    length_of_truncated: bool = False
    """Whether a response cut off at the limit can earn the length part."""
    envelope: Envelope | None = None
    """Length envelope in tokens; None switches the length part off."""
    thinking_tag: str = "thinking"
    """Tag of the reasoning block: thinking or think."""
    verify_timeout: float = 1.0
    """Seconds that one symbolic verification may take before its worker is killed."""

    def __post_init__(self) -> None:
        problems = []
        for name in ("format_weight", "length_weight", "structure_weight"):
            value = getattr(self, name)
            if not _is_number(value) or not 0 <= value <= 1:
                problems.append(f"{name} must be a number from 0 to 1, got {value!r}")
        if not problems and (total := self.format_weight + self.length_weight) > 1:
            problems.append(f"format_weight + length_weight must be <= 1, got {total}")
        if self.length_gate not in LENGTH_GATES:
            problems.append(f"length_gate must be one of {', '.join(LENGTH_GATES)}, got {self.length_gate!r}")
        if self.length_scope not in LENGTH_SCOPES:
            problems.append(f"length_scope must be one of {', '.join(LENGTH_SCOPES)}, got {self.length_scope!r}")
        if not isinstance(self.length_of_truncated, bool):
            problems.append(f"length_of_truncated must be true or false, got {self.length_of_truncated!r}")
        if self.envelope is not None and not isinstance(self.envelope, Envelope):
            problems.append(f"envelope must be an Envelope or None, got {self.envelope!r}")
        if self.thinking_tag not in THINKING_TAGS:
            problems.append(f"thinking_tag must be one of {', '.join(THINKING_TAGS)}, got {self.thinking_tag!r}")
        if not _is_number(self.verify_timeout) or not 0 < self.verify_timeout <= 600:
            problems.append(f"verify_timeout must be seconds in (0, 600], got {self.verify_timeout!r}")
        if problems:
            raise ValueError("reward settings: " + "; ".join(problems))


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
