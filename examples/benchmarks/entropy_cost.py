"""What shaping adds to an actor update: verl's FSDP engine with a whole model, `calculate_entropy=True`, under verl's
loss and under ours, in turns; CPU time of forward, backward and optimiser step, and the tensors as large as the logits.

    python examples/benchmarks/entropy_cost.py [--repeats 9] [--tokens 4096] [--vocabulary 8000]

One process without a GPU; the tiny Qwen3-VL with random weights and a vocabulary as large as named. Both losses go back
through the entropy, verl's with the weight 0; what the entropy itself costs is shown as well.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

os.environ |= {"VERL_PLATFORM": "cpu", "CUDA_VISIBLE_DEVICES": "", "HF_HUB_OFFLINE": "1"}

import torch
import torch.distributed as dist
import verl  # noqa: F401  loads the plug-in
from hydra import compose, initialize_config_dir
from measure import ratios, save, spread
from omegaconf import OmegaConf
from tensordict import TensorDict
from torch.utils._python_dispatch import TorchDispatchMode
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.workers.engine import EngineRegistry
from verl.workers.utils.losses import ppo_loss

import verl_ext
from verl_ext.loss import ENTROPY_WEIGHT, shaped_ppo_loss
from verl_ext.tiny_model import build
from verl_ext.tiny_model.tokenizer import train_tokenizer

ROWS, MICRO_BATCHES, PROMPT = 16, 4, 32
ENTROPY, SHAPED = "calculate_entropy=True", "with shaping"


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


def save_model(folder: Path, vocabulary: int) -> None:
    tokenizer = train_tokenizer([])
    tokenizer.add_tokens([f"<word {number}>" for number in range(vocabulary - len(tokenizer))])
    model = build.build_model(tokenizer, build.ModelSize(), seed=0)
    build.save(model, build.build_processor(tokenizer), folder)


def engine_and_actor(folder: Path) -> tuple[Any, Any]:
    """verl's engine as its worker builds it, and the actor's configuration, which the losses take."""
    with initialize_config_dir(str(Path(verl_ext.__file__).parent / "configs"), version_base=None):
        config = compose("g2rpo_trainer", overrides=["+machine=cpu", f"actor_rollout_ref.model.path={folder}"])
    OmegaConf.resolve(config)
    actor = omega_conf_to_dataclass(config.actor_rollout_ref.actor)
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=0, world_size=1)
    engine = EngineRegistry.new(
        model_type="language_model",
        backend=actor.strategy,
        model_config=omega_conf_to_dataclass(config.actor_rollout_ref.model),
        engine_config=actor.engine,
        optimizer_config=actor.optim,
        checkpoint_config=actor.checkpoint,
    )
    engine.initialize()
    return engine, actor


def mini_batch(tokens: int, vocabulary: int) -> TensorDict:
    """Rows of text as the actor's update gets them; responses of half to the whole of `tokens / ROWS` tokens."""
    draw = torch.Generator().manual_seed(0)
    responses = torch.linspace(tokens // ROWS / 2, tokens // ROWS, ROWS).long().tolist()

    def nested(make: Any, extra: int = 0) -> torch.Tensor:
        return torch.nested.as_nested_tensor([make(extra + size) for size in responses], layout=torch.jagged)

    ones = partial(torch.ones, dtype=torch.long)
    positions = [torch.arange(PROMPT + size).expand(4, -1) for size in responses]
    offsets = torch.tensor([0, *(PROMPT + size for size in responses)]).cumsum(0)
    data = TensorDict(
        {
            "input_ids": nested(lambda size: torch.randint(vocabulary, (size,), generator=draw), PROMPT),
            "position_ids": torch.nested.nested_tensor_from_jagged(torch.cat(positions, 1), offsets, jagged_dim=2),
            "prompts": torch.nested.as_nested_tensor([ones(PROMPT)] * ROWS, layout=torch.jagged),
            "responses": nested(ones),
            "response_mask": nested(ones),
            "loss_mask": nested(ones),
            "old_log_probs": nested(lambda size: torch.full((size,), -2.0)),
            "advantages": nested(lambda size: torch.linspace(-1, 1, size)),
            ENTROPY_WEIGHT: torch.full((ROWS, 1), 1e-4),
        },
        batch_size=ROWS,
    )
    settings = {"use_remove_padding": False, "use_fused_kernels": False, "use_dynamic_bsz": False}
    settings |= {"micro_batch_size_per_gpu": ROWS // MICRO_BATCHES, "temperature": 1.0}
    tu.assign_non_tensor(data, global_batch_size=ROWS, **settings)
    return data


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, default in (("repeats", 9), ("tokens", 4096), ("vocabulary", 8_000)):
        parser.add_argument(f"--{name}", type=int, default=default)
    parser.add_argument("--json", type=Path, help="write the figures there too")
    options = parser.parse_args()
    torch.set_num_threads(1)
    with tempfile.TemporaryDirectory() as folder:
        with contextlib.redirect_stdout(sys.stderr):  # what verl says while it builds
            save_model(Path(folder), options.vocabulary)
            engine, actor = engine_and_actor(Path(folder))
        measure(engine, actor, options)
        dist.destroy_process_group()


def measure(engine: Any, actor: Any, options: argparse.Namespace) -> None:
    data = mini_batch(options.tokens, options.vocabulary)
    losses = {"without entropy": ppo_loss, ENTROPY: ppo_loss, SHAPED: shaped_ppo_loss}
    times: dict[str, list[float]] = {kind: [] for kind in losses}

    def update(kind: str) -> float:
        batch = tu.assign_non_tensor(data.clone(), calculate_entropy=kind != "without entropy")
        start = time.process_time()
        engine.train_batch(batch, partial(losses[kind], actor))
        return time.process_time() - start

    with engine.train_mode():
        for turn in range(options.repeats + 1):
            for kind in random.Random(turn).sample(list(losses), len(losses)):
                seconds = update(kind)
                times[kind] += [seconds] if turn else []  # the first turn only warms up
        for kind, seconds in times.items():
            # Padded to the longest row; the smallest micro-batch has the least.
            with LargeTensors(options.tokens // MICRO_BATCHES // 2 * options.vocabulary) as large:
                update(kind)
            print(f"{kind:<24}{spread(seconds, 3)} s, {large.made} tensors as large as the logits")
    for kind, other in ((SHAPED, ENTROPY), (ENTROPY, "without entropy")):
        pairs, least = ratios(times[kind], times[other]), min(times[kind]) / min(times[other])
        print(f"{kind} / {other}: of pairs {spread(pairs, 3)}, of the least times {least:.3f}")
    save(options.json, ratios={"actor update, with shaping / without": ratios(times[SHAPED], times[ENTROPY])})


if __name__ == "__main__":
    main()
