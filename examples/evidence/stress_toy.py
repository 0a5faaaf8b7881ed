"""Do the rewards of stress_reward.py collapse and explode a policy, and does the band hold it? A softmax policy.

    python examples/evidence/stress_toy.py

Its responses are those of the tiny model in small: two words of thinking and two coordinates, each drawn from a
softmax of its own, between tokens that are certain. It trains by plain ascent on the advantages of one prompt a step,
with the entropy term of the real loss (one mini-batch a step) and the controller of `entropy_control: dual`.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from verl_ext import entropy_band
from verl_ext.entropy_control import DualSettings, coefficient, update

sys.path.insert(0, str(Path(__file__).parent))
import stress_reward
from advantages import ESTIMATORS, advantages
from reward_batches import PARTS, RESPONSES, Batch

WORDS = ("quick", "look", "red", "green", "blue", "square", "star", "circle", "a1", "b2", "c3", "d4")
NUMBERS = tuple(range(0, 1001, 50))
CHOICES = (WORDS, WORDS, NUMBERS, NUMBERS)
CERTAIN = 6
"""Tokens of a response that are certain: tags, braces."""
BAND = (0.2, 0.6)
STEPS, RATE = 160, 4.0
REWARDS: dict[str, Callable[[str], float]] = {"collapse": stress_reward.nearness, "explode": stress_reward.rarity}


def start() -> list[Tensor]:
    """Logits of every choice: words are nearly certain, coordinates spread; 0.43 nats a token."""
    peaks = ((0, 5.0), (1, 5.0), (8, 3.5), (12, 3.5))
    made = []
    for options, (place, height) in zip(CHOICES, peaks, strict=True):
        logits = torch.zeros(len(options), dtype=torch.float64)
        logits[place] = height
        made.append(logits.requires_grad_())
    return made


def entropy(logits: list[Tensor]) -> Tensor:
    """Mean token entropy in nats."""
    own = [-(torch.softmax(one, -1) * torch.log_softmax(one, -1)).sum() for one in logits]
    return torch.stack(own).sum() / (len(own) + CERTAIN)


def text(drawn: np.ndarray) -> str:
    one, two, x, y = (options[at] for options, at in zip(CHOICES, drawn, strict=True))
    return f'<thinking>{one} {two}</thinking><answer>{{"point_2d": [{x}, {y}]}}</answer>'


def train(kind: str, estimator: str, *, banded: bool, steps: int = STEPS, seed: int = 0) -> list[float]:
    """Mean token entropy before every step and at the end."""
    torch.manual_seed(seed)
    stress_reward.forget()
    logits, multipliers, course = start(), None, []
    for _ in range(steps):
        now = float(entropy(logits).detach())
        course.append(now)
        loss = policy_loss(logits, REWARDS[kind], estimator)
        if banded:
            multipliers = update(multipliers, now, BAND, start=0.02, settings=DualSettings())
            edges = (torch.tensor([edge]) for edge in BAND)
            side = float(entropy_band.band_side(torch.tensor([now]), *edges))
            loss = loss + coefficient(multipliers, now, BAND) * side * entropy(logits)
        for one, gradient in zip(logits, torch.autograd.grad(loss, logits), strict=True):
            one.data -= RATE * gradient
    return [*course, float(entropy(logits).detach())]


def policy_loss(logits: list[Tensor], reward: Callable[[str], float], estimator: str) -> Tensor:
    """Mean over the responses of the mean over their tokens, on policy."""
    chances = [torch.log_softmax(one, -1) for one in logits]
    drawn = torch.stack([torch.multinomial(one.detach().exp(), RESPONSES, replacement=True) for one in chances], 1)
    scores = np.array([reward(text(one)) for one in drawn.numpy()])
    parts = dict.fromkeys(PARTS, scores)
    batch = Batch(np.full(RESPONSES, "point_to"), scores, parts, np.full(RESPONSES, len(CHOICES) + CERTAIN))
    advantage = torch.from_numpy(advantages(ESTIMATORS[estimator], [batch])[0])
    log_prob = torch.stack([one[drawn[:, at]] for at, one in enumerate(chances)]).sum(0)
    return -(advantage * log_prob).mean() / (len(CHOICES) + CERTAIN)


def main() -> None:
    marks = [0, STEPS // 8, STEPS // 4, STEPS // 2, STEPS]
    title = "mean token entropy at step"
    print(f"{title:<34}{''.join(f'{at:>7}' for at in marks)}   inside the band   distance from it in the second half")
    for kind in REWARDS:
        for estimator in ("GRPO", "G2RPO"):
            for banded in (False, True):
                course = train(kind, estimator, banded=banded)
                outside = [max(BAND[0] - one, one - BAND[1], 0.0) for one in course[STEPS // 2 :]]
                label = f"{kind}, {estimator}{', band' if banded else ''}"
                figures = "".join(f"{course[at]:>7.2f}" for at in marks)
                inside = 100 * np.mean([BAND[0] <= one <= BAND[1] for one in course])
                print(f"{label:<34}{figures}{inside:>16.0f} %{np.mean(outside):>10.2f}")


if __name__ == "__main__":
    main()
