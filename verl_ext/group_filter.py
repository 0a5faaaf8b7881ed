"""Which prompt groups a training batch takes: those whose mean accuracy lies inside a range and is not all equal.

A group that is always or never solved teaches nothing, and generation goes on in its place (the paper: mean accuracy
above 0.01 and below 0.99). `replay.py` puts this into verl's replay buffer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

REASONS = ("too_hard", "too_easy", "constant")


@dataclass(frozen=True)
class FilterSettings:
    """`verl_ext.filter`, at work where `algorithm.filter_groups.enable` is true; `max_rounds` in asynchronous modes
    always."""

    accuracy: tuple[float, float] = (0.01, 0.99)
    """A group is used if its mean accuracy lies strictly between these."""
    max_rounds: int = 20
    """Batches' worth of groups that a step may drop, or lose to failures, before it ends with an error."""


@dataclass
class GroupFilter:
    """Judges groups and counts its judgements until they are taken, once a step."""

    settings: FilterSettings
    batch_size: int
    """Prompts in a training batch."""
    judged: Counter[str] = field(default_factory=Counter)
    """Task -> groups."""
    dropped: Counter[tuple[str, str]] = field(default_factory=Counter)
    """(task, reason) -> groups."""
    failed: int = 0
    """Groups dropped because a response could not be generated or judged; the synchronous mode keeps such groups."""

    def judge(self, task: str, accuracy: Sequence[float]) -> str | None:
        """Reason for which the group is dropped, or None; `accuracy` holds one value per response."""
        low, high = self.settings.accuracy
        mean = sum(accuracy) / len(accuracy)
        reason = None
        if mean <= low:
            reason = "too_hard"
        elif mean >= high:
            reason = "too_easy"
        elif len(accuracy) > 1 and min(accuracy) == max(accuracy):
            reason = "constant"
        self.judged[task] += 1
        if reason:
            self.dropped[task, reason] += 1
        return reason

    def check(self, step: int) -> None:
        """RuntimeError where the step has dropped more than it may, with what was dropped and what to change."""
        dropped, limit = self.dropped.total(), self.settings.max_rounds * self.batch_size
        if self.failed > limit:
            raise RuntimeError(
                f"step {step}: {self.failed} groups had responses that could not be generated or judged, which is "
                f"more than verl_ext.filter.max_rounds={self.settings.max_rounds} batches of {self.batch_size}: the "
                "log names the rows and their errors"
            )
        if dropped <= limit:
            return
        tasks = "\n".join(f"  - {self._describe(task)}" for task in sorted(self.judged))
        low, high = self.settings.accuracy
        # The line that says what to do comes last: it is what a run ends with.
        raise RuntimeError(
            f"groups of step {step}:\n{tasks}\n"
            f"step {step}: no full batch of {self.batch_size} prompts with a mean accuracy between {low:g} and "
            f"{high:g}: {self.judged.total()} groups were generated and {dropped} of them dropped, which is more than "
            f"verl_ext.filter.max_rounds={self.settings.max_rounds} batches. Use data nearer to what the model can do, "
            "more responses (actor_rollout_ref.rollout.n), a wider verl_ext.filter.accuracy, more rounds, or "
            "algorithm.filter_groups.enable=false"
        )

    def _describe(self, task: str) -> str:
        reasons = (f"{self.dropped[task, reason]} {reason}" for reason in REASONS if self.dropped[task, reason])
        return f"{task}: {self.judged[task]} generated, dropped " + (", ".join(reasons) or "none")

    def take(self) -> tuple[dict[str, float], dict[str, int]]:
        """Metrics since the last call, and the number of dropped groups per task; counting starts anew.

        `filter/<task>/groups` groups judged, `filter/<task>/<reason>` share of them dropped for that reason.
        """
        metrics: dict[str, float] = {}
        for task, judged in self.judged.items():
            metrics[f"filter/{task}/groups"] = float(judged)
            metrics |= {f"filter/{task}/{reason}": self.dropped[task, reason] / judged for reason in REASONS}
        dropped = {task: sum(self.dropped[task, reason] for reason in REASONS) for task in self.judged}
        self.judged.clear()
        self.dropped.clear()
        self.failed = 0
        return metrics, dropped
