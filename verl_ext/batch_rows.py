"""What verl's TransferQueue knows of a batch's rows, as arrays in the order of `batch.keys`.

The reward manager's result lies under `extra_fields.reward_extra_info` of every row. Rows that only pad the batch carry
`is_padding` in their tag and a copy of another row's result.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transfer_queue as tq
from torch import Tensor
from verl.utils.tensordict_utils import get_tensordict

from verl_ext.batch_labels import groups_of, sessions
from verl_ext.entropy_band import row_entropy
from verl_ext.metrics import Rows
from verl_ext.ranking import factorize


def fetch_rewards(batch: Any, *names: str) -> list[np.ndarray]:
    """One array (N,) per key of the reward's result; KeyError naming the row where a key is missing."""
    results = fetch_results(batch, *names)
    return [np.array([result[name] for result in results]) for name in names]


def fetch_results(batch: Any, *names: str) -> list[dict[str, Any]]:
    """The reward's result of each row; KeyError naming the row where one of the keys is missing."""
    results = [extra.get("reward_extra_info", {}) for extra in _extra_fields(batch)]
    for name in names:
        missing = [key for key, result in zip(batch.keys, results, strict=True) if name not in result]
        if missing:
            raise KeyError(
                f"the reward of row {missing[0]} has no {name!r}: set reward.reward_manager.name=verl_ext, or return "
                f"{name!r} from your reward function (an agent loop that sets reward_score itself: in "
                "extra_fields['reward_extra_info'] of its last output)"
            )
    return results


def put_results(batch: Any, results: Sequence[dict[str, Any]]) -> None:
    """Put other results in place of the rows', and their `score` on the last token of `rm_scores`, where verl has it.

    Rows that only pad the batch keep what they have.
    """
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["rm_scores"])
    extras, scores = [], []
    rows = zip(_extra_fields(batch), data["rm_scores"].unbind(), results, valid_rows(batch), strict=True)
    for extra, score, result, valid in rows:
        extras.append({**extra, "reward_extra_info": result} if valid else extra)
        score = torch.zeros_like(score) if valid else score.clone()
        if valid:
            score[-1] = result["score"]
        scores.append(score)
    nested = torch.nested.as_nested_tensor(scores, layout=torch.jagged)
    fields = get_tensordict({"rm_scores": nested, "extra_fields": extras})
    tq.kv_batch_put(keys=batch.keys, partition_id=batch.partition_id, fields=fields)


def _extra_fields(batch: Any) -> list[dict[str, Any]]:
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=["extra_fields"])
    # The queue hands objects back as a plain list, or wrapped one by one.
    return [getattr(extra, "data", extra) for extra in data["extra_fields"]]


def fetch_tokens(batch: Any, *names: str) -> list[Tensor]:
    """Fields per response token as tensors (N, T), padded with 0 on the right."""
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=list(names))
    return [_padded(data[name]) for name in names]


def _padded(value: Tensor) -> Tensor:
    return value.to_padded_tensor(padding=0) if value.is_nested else value


def valid_rows(batch: Any) -> np.ndarray:
    """(N,) bool, False for rows that only pad the batch."""
    return np.array([not tag.get("is_padding", False) for tag in batch.tags], dtype=bool)


def solved(batch: Any, bound: float) -> np.ndarray:
    """(N,) bool, True for the rows of a prompt whose responses have a mean accuracy of the bound or more."""
    (accuracy,) = fetch_rewards(batch, "accuracy")
    session, final = sessions(batch.keys)
    group_N, groups = factorize(groups_of(session))
    own = group_N[final].numpy()
    sums = np.bincount(own, weights=accuracy[final].astype(float), minlength=len(groups))
    return (sums >= bound * np.bincount(own, minlength=len(groups)))[group_N.numpy()]


def reward_events(batch: Any) -> dict[str, float]:
    """`reward/verifier_<event>`: sums over the batch; nothing of a reward manager that does not count."""
    own = [
        extra.get("reward_extra_info", {})
        for extra, valid in zip(_extra_fields(batch), valid_rows(batch), strict=True)
        if valid
    ]
    names = {name for result in own for name in result if name.startswith("verifier_")}
    return {f"reward/{name}": sum(result.get(name, 0.0) for result in own) for name in sorted(names)}


def fetch_rows(batch: Any) -> Rows:
    """All that `metrics.task_metrics` wants of a batch after its update."""
    names = ("task", "category", "accuracy", "score", "format", "structure", "length", "truncated")
    task, category, accuracy, score, format_, structure, length, truncated = fetch_rewards(batch, *names)
    # The queue leaves out what was never put in: the entropy, under algorithm.rollout_correction.bypass_mode.
    fields = ["response_mask", "advantages", "entropy"]
    data = tq.kv_batch_get(keys=batch.keys, partition_id=batch.partition_id, select_fields=fields)
    mask, advantage = _padded(data["response_mask"]), _padded(data["advantages"])
    entropy = data.get("entropy", None)
    session, final = sessions(batch.keys)
    return Rows(
        task=task,
        category=category,
        group=groups_of(session),
        tokens=mask.sum(-1).double().numpy(),
        truncated=truncated.astype(bool),
        accuracy=accuracy,
        format=format_,
        structure=structure,
        length=length,
        reward=score,
        # One value stands on all response tokens of a row; the mean also serves estimators that vary it.
        advantage=((advantage * mask).sum(-1) / mask.sum(-1).clamp_min(1)).double().numpy(),
        entropy_sum=None if entropy is None else row_entropy(_padded(entropy), mask)[0].numpy(),
        valid=valid_rows(batch),
        final=final,
    )
