"""Training metrics per task and category: `task/<task>/<metric>` and `category/<category>/<metric>`.

Axes: N rows of the batch. Padding rows are left out of every figure, shares and denominators included.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace

import numpy as np
import torch

from verl_ext.ranking import factorize, rank

# Metric (last part of its path) -> what it is. Means are over the rows of the task or category in the step's batch.
METRICS: dict[str, str] = {
    "rows": "responses in the batch",
    "accuracy": "mean of the reward's accuracy part",
    "reward": "mean of the composed reward",
    "format": "share of responses in the right format",
    "structure": "mean of the structure part (0 for tasks whose answer is no JSON)",
    "length_reward": "mean of the length part (0 without an envelope)",
    "response_length/mean": "mean response length in tokens",
    "response_length/p95": "95th percentile of the response length in tokens",
    "response_length/truncated": "share of responses cut off at the limit",
    "entropy": "mean token entropy in nats before the update, every token weighing the same",
    "entropy_in_band": "share of its pairs of task and category whose entropy lies inside their band: mostly 0 or 1",
    "advantage/mean": "mean advantage of the responses",
    "advantage/std": "population standard deviation of the advantage",
    "advantage/min": "smallest advantage",
    "advantage/max": "largest advantage",
    "advantage/group_mean": "mean over groups of |mean advantage|: 0 unless whole groups move, as in stage 2",
    "groups": "prompt groups in the batch",
    "zero_signal_groups": "share of groups whose rewards are all equal: they teach nothing",
    "zero_signal_weight": "share of the sum of |advantage| in such groups (0 but for rounding, unless in stage 2)",
    "shaping_only_groups": "share of groups whose rewards differ by format, structure or length alone",
    "token_share": "share of the batch's response tokens",
    "gradient_weight_share": "share of the batch's sum of |advantage| as the loss aggregation weighs it",
}
# The same for tasks alone, written by the trainer where the mechanism is at work.
SHAPING_METRICS: dict[str, str] = {
    "entropy_coeff": "coefficient of the entropy term in the step, warm-up included",
    "envelope/min_start": "first bound of the length envelope that judged the batch, in tokens (envelope_mode: auto)",
    "envelope/peak_start": "second bound",
    "envelope/peak_end": "third bound",
    "envelope/max_end": "fourth bound",
}
TIE_EPSILON = 1e-6
DUST = 1e-6
"""Advantages below this are rounding."""
# Loss aggregations of verl in which every response weighs the same, however long; in the others every token does.
EQUAL_RESPONSES = ("seq-mean-token-mean",)


@dataclass(frozen=True)
class Rows:
    """A batch as arrays (N,)."""

    task: np.ndarray
    """Task name."""
    category: np.ndarray
    """Category name."""
    group: np.ndarray
    """Prompt group: any hashable label."""
    tokens: np.ndarray
    """Response tokens that train: 0 where verl's rejection sampling has masked a response."""
    truncated: np.ndarray
    """Whether the response was cut off."""
    accuracy: np.ndarray
    """Parts of the reward, as `compute_score` names them, and the composed `reward`."""
    format: np.ndarray
    structure: np.ndarray
    length: np.ndarray
    reward: np.ndarray
    advantage: np.ndarray
    """Scalar advantage of the response (the same on all its tokens)."""
    entropy_sum: np.ndarray | None = None
    """Sum of the token entropies in nats, if they were computed."""
    valid: np.ndarray | None = None
    """False for rows that only pad the batch."""
    final: np.ndarray | None = None
    """True for the last output of a session, which carries its reward; None: every row is its own session."""
    tie_epsilon: np.ndarray | None = None
    """Gap up to which the estimator takes rewards as equal; None: TIE_EPSILON."""

    def __post_init__(self) -> None:
        wrong = [f"{name} {values.shape}" for name, values in self._arrays() if values.shape != (len(self.task),)]
        if wrong:
            raise ValueError(f"arrays of {len(self.task)} rows are needed, got {', '.join(wrong)}")

    def _arrays(self) -> Iterator[tuple[str, np.ndarray]]:
        for item in fields(self):
            values = getattr(self, item.name)
            if values is not None:
                yield item.name, values

    def take(self, index: np.ndarray) -> Rows:
        """Rows at the index (a mask or positions)."""
        return replace(self, **{name: values[index] for name, values in self._arrays()})


def task_metrics(
    rows: Rows,
    *,
    bands: Mapping[tuple[str, str], tuple[float, float] | None] | None = None,
    loss_agg_mode: str = "seq-mean-token-mean",
) -> dict[str, float]:
    """Every metric of METRICS for every task and category in the batch.

    `bands` maps (task, category) to entropy bands; without a band or without entropies their metrics are left out.
    `loss_agg_mode` is verl's.
    """
    rows = rows if rows.valid is None else rows.take(rows.valid.astype(bool))
    size = np.abs(rows.advantage)
    # Float dust pushes nothing, but would be the whole of a batch that has nothing else.
    weight = np.where(size < DUST, 0.0, size) * (1.0 if loss_agg_mode in EQUAL_RESPONSES else rows.tokens)
    group = factorize(rows.group)[0].numpy()
    own = _Groups.of(rows, group)

    result: dict[str, float] = {}
    in_band = _in_band(rows, bands or {})
    for at, (prefix, labels) in enumerate((("task", rows.task), ("category", rows.category))):
        for label, index in _split(labels):
            part, path = rows.take(index), f"{prefix}/{label}/"
            values = _reward_metrics(part) | own.metrics(np.unique(group[index]))
            idle = own.zero_signal_G[group[index]]
            values["zero_signal_weight"] = _share(weight[index][idle].sum(), weight[index].sum())
            values["token_share"] = _share(part.tokens.sum(), rows.tokens.sum())
            values["gradient_weight_share"] = _share(weight[index].sum(), weight.sum())
            if part.entropy_sum is not None and part.tokens.sum() > 0:
                values["entropy"] = float(part.entropy_sum.sum() / part.tokens.sum())
            if held := [inside for pair, inside in in_band.items() if pair[at] == label]:
                values["entropy_in_band"] = float(np.mean(held))
            result |= {path + name: value for name, value in values.items()}
    return result


def _in_band(rows: Rows, bands: Mapping[tuple[str, str], tuple[float, float] | None]) -> dict[tuple[str, str], bool]:
    """Whether the entropy of each pair of the batch lies in its band, of those that have both."""
    if rows.entropy_sum is None:
        return {}
    pair_N, pairs = factorize(zip(rows.task, rows.category, strict=True))
    entropy = np.bincount(pair_N, weights=rows.entropy_sum, minlength=len(pairs))
    tokens = np.bincount(pair_N, weights=rows.tokens, minlength=len(pairs))
    return {
        pair: band[0] <= own / count <= band[1]
        for pair, own, count in zip(pairs, entropy, tokens, strict=True)
        if count > 0 and (band := bands.get(pair)) is not None
    }


def advantage_histogram(
    rows: Rows, *, low: float = -4.0, high: float = 4.0, bins: int = 32
) -> dict[str, dict[str, list[float]]]:
    """`task/<task>/advantage/hist` -> {"edges": bins + 1 bounds, "counts": responses}; the outer bins hold what lies
    beyond."""
    rows = rows if rows.valid is None else rows.take(rows.valid.astype(bool))
    edges = np.linspace(low, high, bins + 1)
    place = np.clip(np.searchsorted(edges, rows.advantage, side="right") - 1, 0, bins - 1)
    return {
        f"task/{task}/advantage/hist": {
            "edges": edges.tolist(),
            "counts": np.bincount(place[index], minlength=bins).tolist(),
        }
        for task, index in _split(rows.task)
    }


def _reward_metrics(part: Rows) -> dict[str, float]:
    judged = part if part.final is None else part.take(part.final.astype(bool))
    parts = {"accuracy": judged.accuracy, "reward": judged.reward, "format": judged.format}
    parts |= {"structure": judged.structure, "length_reward": judged.length}
    values = {name: float(np.mean(value)) for name, value in parts.items() if len(value)}
    if len(lengths := part.tokens[part.tokens > 0]):
        values["response_length/mean"] = float(lengths.mean())
        values["response_length/p95"] = float(np.percentile(lengths, 95))
    return values | {
        "rows": float(len(part.task)),
        "response_length/truncated": float(part.truncated.mean()),
        "advantage/mean": float(part.advantage.mean()),
        "advantage/std": float(part.advantage.std()),
        "advantage/min": float(part.advantage.min()),
        "advantage/max": float(part.advantage.max()),
    }


@dataclass(frozen=True)
class _Groups:
    """Per group (ids 0..G-1): whether its rewards all tie, whether they differ though its accuracies tie, and its mean
    advantage."""

    zero_signal_G: np.ndarray
    shaping_only_G: np.ndarray
    advantage_G: np.ndarray

    @classmethod
    def of(cls, rows: Rows, group_N: np.ndarray) -> _Groups:
        final = rows.tokens > 0  # the estimators leave out what rejection sampling has masked
        if rows.final is not None:
            final &= rows.final.astype(bool)
        groups = int(group_N.max()) + 1 if len(group_N) else 0
        own = group_N[final]
        epsilon = TIE_EPSILON if rows.tie_epsilon is None else torch.from_numpy(rows.tie_epsilon[final])

        def ties(values: np.ndarray) -> np.ndarray:
            ranked = rank(
                torch.from_numpy(values[final].astype(np.float64)), torch.from_numpy(own), tie_epsilon=epsilon
            )
            tied_G = np.ones(groups, dtype=bool)
            tied_G[ranked.ids_S.numpy()] = (ranked.runs_S == 1).numpy()
            return tied_G

        zero_signal_G = ties(rows.reward)
        sums = np.bincount(own, weights=rows.advantage[final], minlength=groups)
        mean_G = sums / np.maximum(np.bincount(own, minlength=groups), 1)
        return cls(zero_signal_G, ties(rows.accuracy) & ~zero_signal_G, mean_G)

    def metrics(self, own: np.ndarray) -> dict[str, float]:
        return {
            "groups": float(len(own)),
            "zero_signal_groups": float(self.zero_signal_G[own].mean()),
            "shaping_only_groups": float(self.shaping_only_G[own].mean()),
            "advantage/group_mean": float(np.abs(self.advantage_G[own]).mean()),
        }


def _split(labels: np.ndarray) -> list[tuple[str, np.ndarray]]:
    """Names in alphabetical order, each with the positions of its rows."""
    ids, names = factorize(labels)
    order = np.argsort(ids.numpy(), kind="stable")
    bounds = np.cumsum(np.bincount(ids.numpy(), minlength=len(names)))[:-1]
    parts = np.split(order, bounds) if names else []
    return sorted((str(name), part) for name, part in zip(names, parts, strict=True))


def _share(part: float, whole: float) -> float:
    return float(part / whole) if whole > 0 else 0.0
