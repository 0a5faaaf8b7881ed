"""Time of the estimators through verl's signature, side by side in one run: `g2rpo`, verl's `grpo` and
`grpo_vectorized`, and the floor that any estimator pays (sum over tokens, broadcast back).

    python examples/benchmarks/estimators.py [--repeats 9] [--threads 1] [--quick]

CPU times; ratios of every repeat to its neighbour in time, median (least to largest). Growth is the exponent of the
median time in the number of responses; that of n log n over the sizes here is 1.10.
"""

from __future__ import annotations

import argparse
import statistics
import time
import uuid
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import verl  # noqa: F401  loads the plug-in
from measure import exponent, ratios, save, spread
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

SIZES = ((4_096, 4_096), (32_768, 128), (262_144, 16))
QUICK_SIZES = ((512, 512), (4_096, 128), (32_768, 16))
GROWTH_TOKENS = 16
GROWTH = (4_096, 16_384, 65_536, 262_144)
QUICK_GROWTH = (1_024, 4_096, 16_384, 32_768)
RESPONSES = 8
PEERS = ("grpo_vectorized", "grpo", "floor")


def batch(rows: int, tokens: int) -> tuple[torch.Tensor, torch.Tensor, np.ndarray]:
    index = np.repeat(np.array([str(uuid.uuid4()) for _ in range(rows // RESPONSES)], dtype=object), RESPONSES)
    rewards = torch.zeros(rows, tokens)
    rewards[:, -1] = torch.randint(0, 5, (rows,)) / 4
    return rewards, torch.ones(rows, tokens, dtype=torch.long), index


def floor(rewards: torch.Tensor, mask: torch.Tensor, index: np.ndarray, config: dict) -> torch.Tensor:
    return rewards.sum(-1).unsqueeze(-1) * mask


def measure(calls: dict[str, Callable[..., object]], size: tuple[int, int], repeats: int) -> dict[str, list[float]]:
    """CPU milliseconds of each call, in turns, after one turn that only warms up."""
    rewards, mask, index = batch(*size)
    times: dict[str, list[float]] = {name: [] for name in calls}
    for turn in range(repeats + 1):
        for name, call in calls.items():
            start = time.process_time()
            call(rewards, mask, index=index, config={})
            if turn:
                times[name].append(1e3 * (time.process_time() - start))
    return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=9)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument("--quick", action="store_true", help="an eighth of the sizes")
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    torch.set_num_threads(options.threads)
    torch.manual_seed(0)
    calls = {name: get_adv_estimator_fn(name) for name in ("g2rpo", "grpo_vectorized", "grpo")} | {"floor": floor}
    sizes, rows = (QUICK_SIZES, QUICK_GROWTH) if options.quick else (SIZES, GROWTH)
    wanted = dict.fromkeys((*sizes, *((count, GROWTH_TOKENS) for count in rows)))
    times = {size: measure(calls, size, options.repeats) for size in wanted}

    print("median ms".rjust(20) + "".join(f"{name:>17}" for name in calls))
    for (count, tokens), own in times.items():
        print(f"{count:>12,} x {tokens:<5,}" + "".join(f"{statistics.median(own[name]):>17.1f}" for name in calls))
    found: dict[str, list[float]] = {}
    print("\ng2rpo /".rjust(21) + "".join(f"{name:>25}" for name in PEERS))
    for size in sizes:
        own = {name: ratios(times[size]["g2rpo"], times[size][name]) for name in PEERS}
        print(f"{size[0]:>12,} x {size[1]:<5,}" + "".join(f"{spread(own[name]):>25}" for name in PEERS))
        found |= {f"g2rpo / {name}, {size[0]:,} x {size[1]:,}": own[name] for name in PEERS[:2]}
    growth = {
        name: {"sizes": rows, "seconds": [statistics.median(times[count, GROWTH_TOKENS][name]) / 1e3 for count in rows]}
        for name in calls
    }
    print(f"\ngrowth from {rows[0]:,} to {rows[-1]:,} responses: exponent ", end="")
    print(", ".join(f"{name} {exponent(own['sizes'], own['seconds']):.2f}" for name, own in growth.items()))
    save(options.json, ratios=found, growth=growth)


if __name__ == "__main__":
    main()
