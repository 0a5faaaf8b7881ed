"""What one step of descent on the entropy penalty does to the entropy, in exact expectation over all samples.

    python examples/evidence/entropy_toy.py

A softmax policy above the band [0.2, 0.6]. The penalty as published stands on the mean of `-log p` of the n sampled
tokens of a micro-batch and is gated by that mean; ours on the entropy itself, gated once by the whole batch's.
"""

from __future__ import annotations

import itertools

import torch
from torch import Tensor

HIGH, STEP = 0.6, 0.1
POLICIES = {
    "one likely token of 3": (1.5, 0.0, -1.0),
    "one likely token of 4": (2.5, 0.5, 0.0, -0.5),
    "two likely tokens of 4": (1.5, 1.0, -1.0, -2.0),
}
TOKENS = (1, 2, 4)


def entropy(logits: Tensor) -> Tensor:
    return -(torch.softmax(logits, -1) * torch.log_softmax(logits, -1)).sum()


def published(logits: Tensor, tokens: int) -> Tensor:
    """Expected gradient over all outcomes of `tokens` samples."""
    surprise = -torch.log_softmax(logits, -1)
    total = torch.zeros(())
    for drawn in itertools.product(range(len(logits)), repeat=tokens):
        own = surprise[list(drawn)]
        if own.mean() > HIGH:
            total = total + torch.exp(-own.sum()).detach() * (own.mean() - HIGH)
    return torch.autograd.grad(total, logits)[0] if total.requires_grad else torch.zeros_like(logits)


def change(logits: Tensor, gradient: Tensor) -> float:
    before, after = logits.detach(), logits.detach() - STEP * gradient
    return float(entropy(after) - entropy(before))


def main() -> None:
    print(f"{'policy':<26}{'entropy':>9}{'ours':>10}" + "".join(f"{f'published, n={n}':>18}" for n in TOKENS))
    for name, values in POLICIES.items():
        logits = torch.tensor(values, dtype=torch.float64, requires_grad=True)
        ours = torch.autograd.grad(entropy(logits), logits)[0]
        theirs = "".join(f"{change(logits, published(logits, tokens)):>+18.5f}" for tokens in TOKENS)
        print(f"{name:<26}{entropy(logits).item():>9.3f}{change(logits, ours):>+10.5f}{theirs}")
    print(f"Change of the entropy in nats by one step of {STEP} down the penalty's gradient; wanted: below 0.")


if __name__ == "__main__":
    main()
