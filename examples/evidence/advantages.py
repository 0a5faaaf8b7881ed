"""Advantages of every estimator on the same rewards, through verl's own registry: what trains is what is measured.

    python examples/evidence/advantages.py [--rewards FILES] [--steps 16] [--seed 0]

Writes results/advantages.md and results/advantages.png: moments, quantiles against N(0, 1), gradient weight per task,
what groups without signal get, and what noise, scale and outliers of one task do. Rewards: synthetic ones of the kinds
that tasks have, and those recorded by stored runs (FILES; by default the runs of the arm `grpo`, if there are any).
"""

from __future__ import annotations

import argparse
import copy
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
import verl  # noqa: F401  loads the plug-in
from tqdm import tqdm
from verl.trainer.ppo.core_algos import get_adv_estimator_fn

from verl_ext import batch_labels

sys.path.insert(0, str(Path(__file__).parent))
from advantage_tables import (
    agreement_table,
    direction_table,
    moments_table,
    spread_table,
    weight_table,
    zero_signal_table,
)
from advantages_figure import figure
from cells import table
from grid import RESULTS, git, versions
from reward_batches import OUTLIER, SCALE, Batch, add_noise, recorded, spoilt, synthetic

NOISE = (1e-7, 1e-5, 1e-3, 1e-2, 1e-1)


@dataclass(frozen=True)
class Estimator:
    name: str
    config: Mapping[str, Any] = field(default_factory=dict)
    """`algorithm`, as far as the estimator reads it."""
    arguments: Mapping[str, Any] = field(default_factory=dict)
    """What verl's trainer passes besides."""


ESTIMATORS = {
    "GRPO": Estimator("grpo"),
    "Dr.GRPO": Estimator("grpo", arguments={"norm_adv_by_std_in_grpo": False}),
    "EMA-GRPO": Estimator("ema_grpo"),
    "GDPO": Estimator("gdpo", {"gdpo_reward_keys": ["accuracy", "format"]}),
    "G2RPO, as published": Estimator("g2rpo", {"g2rpo": {"zero_signal": "published", "tie_epsilon": 0.0}}),
    "G2RPO": Estimator("g2rpo"),
    "G2RPO, GDPO form": Estimator("g2rpo_gdpo"),
}


# Settings of `g2rpo` that keep the zero mean of a group; in the tables of agreement and direction alone.
ZERO_MEAN = {
    "G2RPO, re-centred": Estimator("g2rpo", {"g2rpo": {"recenter": True}}),
    "G2RPO, stage 2 scales": Estimator("g2rpo", {"g2rpo": {"task_map": "scale"}}),
}

# What ranks make of small differences; in the table of direction alone.
TIES = {
    f"G2RPO, {title}ties within {epsilon}": Estimator("g2rpo", {"g2rpo": {"tie_epsilon": epsilon, **more}})
    for title, more in (("", {}), ("re-centred, ", {"recenter": True}))
    for epsilon in (0.05, 0.15)
}


def advantages(
    estimator: Estimator, batches: Sequence[Batch], memory: Mapping[str, Any] | None = None
) -> list[np.ndarray]:
    """Advantage of every response (N,), step by step, with what the estimator keeps between steps, from `memory` on."""
    kept = copy.deepcopy(dict(memory or {}))
    return [_step(estimator, batch, kept) for batch in batches]


def _step(estimator: Estimator, batch: Batch, memory: dict[str, Any]) -> np.ndarray:
    rows = np.arange(len(batch.task))
    mask = torch.arange(int(batch.tokens.max())) < torch.from_numpy(batch.tokens)[:, None]
    rewards = torch.zeros(mask.shape)
    rewards[rows, batch.tokens - 1] = torch.from_numpy(batch.score).float()
    labels = batch_labels.BatchLabels(
        task=batch.task,
        session=np.array([f"{row}_0" for row in rows], dtype=object),
        final=np.ones(len(rows), dtype=bool),
        parts=batch.parts,
        memory=memory,
    )
    index = np.array([f"prompt {group}" for group in batch.group], dtype=object)
    with batch_labels.provide(labels):
        call = get_adv_estimator_fn(estimator.name)
        result, _ = call(rewards, mask.long(), index=index, config=dict(estimator.config), **estimator.arguments)
    return result[:, 0].double().numpy()


@dataclass(frozen=True)
class Source:
    """Rewards of one origin and every estimator's advantages on them, all steps in one row."""

    title: str
    runs: list[list[Batch]]
    """Each with a memory of its own."""
    recorded: bool = False

    @property
    def task(self) -> np.ndarray:
        return np.concatenate([batch.task for run in self.runs for batch in run])

    @property
    def score(self) -> np.ndarray:
        return np.concatenate([batch.score for run in self.runs for batch in run])

    @property
    def right(self) -> np.ndarray:
        return np.concatenate([batch.right for run in self.runs for batch in run])

    @property
    def zero_signal(self) -> np.ndarray:
        return np.concatenate([batch.zero_signal() for run in self.runs for batch in run])

    def advantages(self, estimator: Estimator) -> np.ndarray:
        return np.concatenate([step for run in self.runs for step in advantages(estimator, run)])

    def changed(self, change: Any) -> Source:
        return replace(self, runs=[[change(batch) for batch in run] for run in self.runs])


def noise_table(source: Source, values: Mapping[str, np.ndarray], seed: int) -> list[str]:
    """Pearson correlation with the advantages before, and the share of responses whose sign turned."""
    cells: dict[str, list[str]] = {name: [] for name in values}
    for deviation in NOISE:
        rng = np.random.default_rng(seed)
        noisy = source.changed(lambda batch, by=deviation, rng=rng: add_noise(batch, by, rng))
        for name, before in values.items():
            after = noisy.advantages(ESTIMATORS[name])
            flips = np.mean((np.sign(before) * np.sign(after) < 0) & (np.abs(before) > 1e-6) & (np.abs(after) > 1e-6))
            cells[name].append(f"{np.corrcoef(before, after)[0, 1]:.3f}, {100 * flips:.1f} %")
    return table(["estimator", *(f"σ = {one:g}" for one in NOISE)], [[name, *own] for name, own in cells.items()])


def spoilt_table(source: Source, values: Mapping[str, np.ndarray], kind: str, seed: int) -> list[str]:
    """Every task spoilt in turn: what the other tasks' advantages, and all tasks' weights, do."""
    task, rows = source.task, []
    others = {label: source.changed(lambda batch, label=label: spoilt(batch, label, kind, seed)) for label in set(task)}
    for name, before in tqdm(values.items(), desc=f"{source.title}: {kind}", leave=False):
        moved, own, share = [], [], []
        for label, other in others.items():
            after, mine = other.advantages(ESTIMATORS[name]), task == label
            moved.append(np.abs(after - before)[~mine].max())
            own.append(np.abs(after[mine]).sum() / max(np.abs(before[mine]).sum(), 1e-12))
            rest = [np.abs(one[~mine]).sum() / np.abs(one).sum() for one in (before, after)]
            share.append(rest[1] / rest[0])
        exact = "0" if max(moved) == 0 else f"{max(moved):.3g}"
        rows.append([name, exact, f"{np.median(own):.2f} ({min(own):.2f} to {max(own):.2f})", f"{min(share):.3f}"])
    titles = ["estimator", "largest change of another task's advantage", "weight of the spoilt task, after / before"]
    return table([*titles, "share of the other tasks, after / before, least"], rows)


def section(source: Source, seed: int) -> tuple[list[str], dict[str, np.ndarray]]:
    values = {name: source.advantages(one) for name, one in tqdm(ESTIMATORS.items(), desc=source.title, leave=False)}
    zero_mean = {name: source.advantages(one) for name, one in ZERO_MEAN.items()}
    task, score, zero = source.task, source.score, source.zero_signal
    groups = (
        f"{len(task)} responses of {len(set(task))} tasks, {100 * zero.mean():.1f} % of them in groups of no signal"
    )
    parts = {
        f"{source.title}: {groups}": [],
        "Moments (groups with signal)": moments_table(values, ~zero),
        "Per task: standard deviation, largest magnitude (groups with signal)": spread_table(values, task, ~zero),
        "Gradient weight of a response, mean of the tasks = 1": weight_table(values, task, ~zero),
        "Agreement with GRPO (groups with signal)": agreement_table(values | zero_mean, task, score, ~zero),
        "Groups without signal": zero_signal_table(values, zero),
        "Noise N(0, σ) on every reward: correlation with the advantages before, signs turned": noise_table(
            source, values, seed
        ),
        f"One task's rewards x {SCALE:g} (every task in turn)": spoilt_table(source, values, "scale", seed),
        f"One reward of a task in twenty x {OUTLIER:g} (every task in turn)": spoilt_table(
            source, values, "outliers", seed
        ),
    }
    if source.recorded:
        ties = {name: source.advantages(one) for name, one in TIES.items()}
        title = "Direction: cosine with the verdict (1: pushed by being right alone)"
        parts[title] = direction_table(values | zero_mean | ties, task, source.right)
    lines = []
    for at, (title, body) in enumerate(parts.items()):
        lines += [f"{'##' if at == 0 else '###'} {title}", "", *body]
    return lines, values


def commit() -> str:
    paths = (":(glob)verl_ext/*.py", ":(glob)examples/evidence/*.py")
    changed = [line[3:] for line in git("status", "--porcelain", "--untracked-files=no", "--", *paths).splitlines()]
    return f"commit {git('rev-parse', 'HEAD')[:10]}" + (f" with changes in {', '.join(changed)}" if changed else "")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rewards", type=Path, nargs="+", help="stored runs, results/<arm>-<seed>.json.gz")
    parser.add_argument("--steps", type=int, default=16, help="synthetic steps (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0, help="of synthetic rewards and of the noise")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    options = parser.parse_args()
    files = sorted(RESULTS.glob("grpo-[0-9]*.json.gz")) if options.rewards is None else options.rewards
    sources = [Source("Synthetic rewards", [synthetic(options.seed, options.steps)])]
    runs = [batches for batches in map(recorded, files) if batches]
    if runs:
        sources.append(Source("Recorded rewards", runs, recorded=True))
    text = ["# Advantages of the estimators", "", f"Made by `python examples/evidence/{Path(__file__).name}` with"]
    text[-1] += f" seed {options.seed} and {options.steps} synthetic steps, at {commit()}, "
    text[-1] += f"verl {versions()['verl']}, torch {versions()['torch']}."
    if runs:
        text[-1] += f" Recorded rewards: {', '.join(path.name for path in files)}."
    drawn = {}
    for source in sources:
        lines, values = section(source, options.seed)
        text += ["", *lines]
        drawn[source.title] = (values, source.task, ~source.zero_signal)
    options.out.mkdir(parents=True, exist_ok=True)
    figure(drawn, options.out / "advantages.png")
    text += ["## Quantiles against N(0, 1)", "", "![Quantiles of every estimator's advantages](advantages.png)"]
    (options.out / "advantages.md").write_text("\n".join(text) + "\n")
    print("\n".join(text))


if __name__ == "__main__":
    main()
