"""Time of the estimators through verl's signature, side by side in one run: `g2rpo`, verl's `grpo` and
`grpo_vectorized`, and the floor that any estimator pays (sum over tokens, broadcast back).

    python examples/benchmarks/estimators.py [--repeats 9] [--threads 1]
"""

from __future__ import annotations

import argparse
import time
import uuid
from collections.abc import Callable

import numpy as np
import torch
import verl  # noqa: F401  loads the plug-in
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

SIZES = ((4_096, 4_096), (32_768, 128), (262_144, 16))
RESPONSES = 8


def batch(rows: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    index = np.repeat(np.array([str(uuid.uuid4()) for _ in range(rows // RESPONSES)], dtype=object), RESPONSES)
    rewards = torch.zeros(rows, tokens)
    rewards[:, -1] = torch.randint(0, 5, (rows,)) / 4
    return rewards, torch.ones(rows, tokens, dtype=torch.long), index


def floor(rewards: torch.Tensor, mask: torch.Tensor, index: np.ndarray, config: dict) -> torch.Tensor:
    return rewards.sum(-1).unsqueeze(-1) * mask


def best(call: Callable[..., object], inputs: tuple, repeats: int) -> float:
    """Least CPU milliseconds of `repeats` calls, after one that only warms up."""
    times = []
    for _ in range(repeats + 1):
        start = time.process_time()
        call(inputs[0], inputs[1], index=inputs[2], config={})
        times.append(time.process_time() - start)
    return 1e3 * min(times[1:])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    calls = {name: get_adv_estimator_fn(name) for name in ("g2rpo", "grpo_vectorized", "grpo")} | {"floor": floor}
    print("responses x tokens".rjust(20) + "".join(f"{name:>18}" for name in calls) + "   g2rpo / grpo_vectorized")
    for rows, tokens in SIZES:
        inputs = batch(rows, tokens)
        times = {name: best(call, inputs, options.repeats) for name, call in calls.items()}
        shown = "".join(f"{value:>15.1f} ms" for value in times.values())
        print(f"{rows:>12,} x {tokens:<5,}{shown}   {times['g2rpo'] / times['grpo_vectorized']:.2f}")


if __name__ == "__main__":
    main()
