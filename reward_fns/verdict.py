"""What a verifier returns, the error it raises when it is itself at fault, and the size limits all verifiers share."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

MAX_ANSWER_CHARS = 20_000
MAX_RESPONSE_CHARS = 2_000_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """The judgement of one answer."""

    official: float | None
    """The benchmark authors' figure, 0..1; None where no rule of theirs can decide (an LLM judge would)."""
    reward: float
    """The training reward, 0..1: hardened, dense where the metric is a step."""
    parsed: Any = None
    """What was understood: a letter, a number, a box, a text; None if nothing."""
    note: str = ""
    """Why the reward is not 1; empty if it is."""


def wrong(note: str, parsed: Any = None, *, official: float | None = 0.0) -> Verdict:
    """A verdict with reward 0."""
    return Verdict(official, 0.0, parsed, note)


def binary(right: bool, parsed: Any, note: str) -> Verdict:
    """Official and reward both 1 or both 0; the note stands only with 0."""
    return Verdict(1.0, 1.0, parsed) if right else Verdict(0.0, 0.0, parsed, note)


class VerifierError(RuntimeError):
    """A verifier failed (its fault or the row's, never the response's): names the task and the row."""
