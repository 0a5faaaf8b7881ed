"""Prints, one a line, the overrides of `SMOKE=1` (see launch.sh): the CPU machine's settings and the smallest sizes.

They stand behind a script's own, so that they win: Hydra puts command-line values before those of `+machine=cpu`.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from omegaconf import OmegaConf

import verl_ext

CONFIGS = Path(verl_ext.__file__).parent / "configs"
# What a script may have set that has no meaning without its GPUs: the engine of a machine with Megatron, LoRA's loader.
SIZES = {
    "model_engine": "dp",
    "data.train_batch_size": 4,
    "data.max_prompt_length": 256,
    "data.max_response_length": 48,
    "actor_rollout_ref.actor.ppo_mini_batch_size": 4,
    "actor_rollout_ref.actor.fsdp_config.param_offload": False,
    "actor_rollout_ref.actor.fsdp_config.optimizer_offload": False,
    "actor_rollout_ref.rollout.n": 4,
    "trainer.total_training_steps": 2,
    "trainer.total_epochs": 1,
    "trainer.test_freq": -1,
    "trainer.save_freq": -1,
    "trainer.resume_mode": "disable",
    "trainer.logger": [],
    # The model is wrong about everything: filtering would find no group to train on.
    "algorithm.filter_groups.enable": False,
}


def flat(tree: Any, path: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in tree.items():
        name = f"{path}.{key}" if path else key
        if isinstance(value, dict):
            yield from flat(value, name)
        else:
            yield name, value


def main(cache: Path) -> None:
    values = {}
    for name in ("machine/cpu.yaml", "recipe/quickstart.yaml"):
        values.update(flat(OmegaConf.to_container(OmegaConf.load(CONFIGS / name))))
    values |= SIZES
    values |= {
        "data.train_files": str(cache / "data" / "train.parquet"),
        "data.val_files": str(cache / "data" / "val.parquet"),
        "actor_rollout_ref.model.path": str(cache / "model"),
        "trainer.default_local_dir": str(cache / "run" / "checkpoints"),
        "trainer.validation_data_dir": str(cache / "run" / "validation"),
        "verl_ext.run_dir": str(cache / "run"),
    }
    for key, value in values.items():
        # A config group is chosen with a plain override; a value may be new.
        print(f"{key}={value}" if key == "model_engine" else f"++{key}={json.dumps(value)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]).resolve())
