"""What shaping adds to an actor update: verl's loss with `calculate_entropy=True` against ours, forward and backward,
on real logits of a linear head, side by side in one run; time, and the tensors as large as the logits that each makes.

    python examples/benchmarks/entropy_cost.py [--repeats 9] [--tokens 2048] [--vocabulary 32000] [--width 512]

A real update runs a whole model before these steps, so that the ratio here is an upper bound of its own.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import verl  # noqa: F401  loads the plug-in
from hydra import compose, initialize_config_dir
from measure import ratios, save, spread
from tensordict import TensorDict
from torch.utils._python_dispatch import TorchDispatchMode
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.torch_functional import entropy_from_logits, logprobs_from_logits
from verl.workers.utils.losses import ppo_loss

import verl_ext
from verl_ext.loss import ENTROPY_WEIGHT, shaped_ppo_loss

ROWS, PROMPT = 16, 16


class LargeTensors(TorchDispatchMode):
    """Counts the results of operators that hold at least `size` elements of their own memory."""

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size, self.made = size, 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        result = func(*args, **(kwargs or {}))
        for one in result if isinstance(result, tuple | list) else (result,):
            if isinstance(one, torch.Tensor) and one.numel() >= self.size and not one._is_view():
                self.made += 1
        return result


def actor() -> Any:
    with initialize_config_dir(str(Path(verl_ext.__file__).parent / "configs"), version_base=None):
        config = compose("g2rpo_trainer", overrides=["+machine=cpu", "actor_rollout_ref.model.path=none"])
    return omega_conf_to_dataclass(config.actor_rollout_ref.actor)


def micro_batch(tokens: int) -> TensorDict:
    """ROWS rows of equal length, as the loss sees them."""
    prompt, response = [torch.ones(PROMPT, dtype=torch.long)] * ROWS, tokens // ROWS - PROMPT

    def nested(value: torch.Tensor) -> torch.Tensor:
        return torch.nested.as_nested_tensor([value.clone() for _ in range(ROWS)], layout=torch.jagged)

    data = TensorDict(
        {
            "prompts": torch.nested.as_nested_tensor(prompt, layout=torch.jagged),
            "responses": nested(torch.ones(response, dtype=torch.long)),
            "response_mask": nested(torch.ones(response, dtype=torch.long)),
            "old_log_probs": nested(torch.full((response,), -2.0)),
            "advantages": nested(torch.linspace(-1, 1, response)),
            ENTROPY_WEIGHT: torch.full((ROWS, 1), 1e-4),
        },
        batch_size=ROWS,
    )
    tu.assign_non_tensor(data, dp_size=1, batch_num_tokens=ROWS * response, global_batch_size=ROWS)
    return data


def update(loss: Callable[..., Any], config: Any, hidden: torch.Tensor, head: torch.Tensor, data: TensorDict) -> None:
    logits = hidden @ head
    labels = torch.arange(len(logits)) % logits.shape[-1]
    output = {"log_probs": logprobs_from_logits(logits, labels), "entropy": entropy_from_logits(logits)}
    loss(config, output, data)[0].backward()
    hidden.grad = head.grad = None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("repeats", 9), ("tokens", 2048), ("vocabulary", 32_000), ("width", 512)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    config, data = actor(), micro_batch(options.tokens)
    hidden = torch.randn(options.tokens, options.width, requires_grad=True)
    head = (torch.randn(options.width, options.vocabulary) * 0.05).requires_grad_()
    kinds = {"calculate_entropy=True": ppo_loss, "with shaping": shaped_ppo_loss}
    times: dict[str, list[float]] = {kind: [] for kind in kinds}
    for turn in range(options.repeats + 1):
        for kind, loss in kinds.items():
            start = time.process_time()
            update(loss, config, hidden, head, data)
            if turn:  # the first only warms up
                times[kind].append(time.process_time() - start)
    size = options.tokens * options.vocabulary
    for kind, loss in kinds.items():
        with LargeTensors(size) as large:
            update(loss, config, hidden, head, data)
        print(f"{kind:<24}{spread(times[kind], 3)} s, {large.made} tensors as large as the logits")
    ours, verls = times["with shaping"], times["calculate_entropy=True"]
    pairs = ratios(ours, verls)
    print(f"ratio: of pairs {spread(pairs, 3)}, of the least times {min(ours) / min(verls):.3f}")
    save(options.json, ratios={"actor update, with shaping / without": pairs})


if __name__ == "__main__":
    main()
