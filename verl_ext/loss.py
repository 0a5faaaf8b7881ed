"""The actor's loss with the entropy term: plug point `actor_rollout_wg.set_loss_fn`."""

from __future__ import annotations

from typing import Any

from torch import Tensor
from verl.utils.metric import AggregationType, Metric
from verl.workers.utils.losses import ppo_loss
from verl.workers.utils.padding import no_padding_2_padding

from verl_ext.entropy_band import entropy_term

# Field of every row, written by the trainer before the update: weight (B, 1) of the row's summed token entropy.
ENTROPY_WEIGHT = "verl_ext_entropy_weight"


def shaped_ppo_loss(config: Any, model_output: dict[str, Any], data: Any, dp_group: Any = None) -> tuple[Tensor, dict]:
    """verl's `ppo_loss` plus `dp_size * sum_rows w_row * sum_tokens H`, outside verl's aggregation of the loss.

    The weights hold everything that depends on the batch, so the gradient is the same however the batch is cut into
    micro-batches and ranks; see verl_ext/entropy_band.py.
    """
    loss, metrics = ppo_loss(config, model_output, data, dp_group)
    if ENTROPY_WEIGHT not in data:
        raise KeyError(f"{ENTROPY_WEIGHT} is missing from the batch; use the trainer mode verl_ext_sync")
    entropy = no_padding_2_padding(model_output["entropy"], data)
    mask = data.select("response_mask").to_padded_tensor()["response_mask"].bool()
    weight = data[ENTROPY_WEIGHT]
    weight = weight.values() if weight.is_nested else weight  # the queue may hand equal rows back as a nested tensor
    term = entropy_term(entropy, mask, weight.reshape(-1), dp_size=data["dp_size"])
    metrics["actor/entropy_band_loss"] = Metric(value=term, aggregation=AggregationType.SUM)
    return loss + term, metrics
