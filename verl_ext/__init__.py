"""Gaussian GRPO with task-level length and entropy shaping for verl, as an extension."""

__version__ = "0.1.0"
