"""The length part of the reward: a trapezoid on the number of response tokens."""

from __future__ import annotations

from .settings import Envelope


def envelope_value(tokens: float, envelope: Envelope) -> float:
    """0 below `min_start`, linear up to 1 at `peak_start`, 1 to `peak_end`, linear down to 0 at `max_end`, 0 beyond.

    Where two bounds coincide the edge is a step and the peak wins.
    """
    if envelope.peak_start <= tokens <= envelope.peak_end:
        return 1.0
    if tokens <= envelope.min_start or tokens >= envelope.max_end:
        return 0.0
    if tokens < envelope.peak_start:
        return (tokens - envelope.min_start) / (envelope.peak_start - envelope.min_start)
    return (envelope.max_end - tokens) / (envelope.max_end - envelope.peak_end)
