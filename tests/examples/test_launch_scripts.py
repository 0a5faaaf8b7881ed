"""Every launch script's command, composed with the installed verl's configuration and checked as a run does it."""

import importlib.metadata
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from hydra.errors import ConfigCompositionException
from omegaconf import OmegaConf
from verl.trainer.ppo.utils import need_critic, need_reference_policy
from verl.utils.config import omega_conf_to_dataclass, validate_config

from verl_ext import main_ppo, verl_patches

ROOT = Path(__file__).parents[2]
SCRIPTS = sorted(
    path.relative_to(ROOT).as_posix()
    for folder in ("train", "baselines", "ablation")
    for path in (ROOT / "examples" / folder).glob("*.sh")
    if path.name != "launch.sh"
)
VALUES = ("HOME", "PATH", "VIRTUAL_ENV")


@pytest.fixture(autouse=True)
def vllm_of_any_build(monkeypatch):
    """verl asks for vLLM's version where LoRA is on; the CPU build has another name."""
    monkeypatch.setattr(importlib.metadata, "version", importlib.metadata.version)
    verl_patches.vllm_version()


def overrides(script: str, *arguments: str, **environment: str) -> list[str]:
    """What the script hands to Hydra."""
    done = subprocess.run(
        ["bash", script, *arguments],
        cwd=ROOT,
        env={name: os.environ[name] for name in VALUES if name in os.environ}
        | {"DRY_RUN": "1", "VENV": sys.prefix}
        | environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    words = shlex.split(done.stdout)
    return words[words.index("verl_ext.main_ppo") + 1 :]


def composed(arguments: list[str]):
    with initialize_config_dir(str(ROOT / "verl_ext" / "configs"), version_base=None):
        return compose("g2rpo_trainer", overrides=arguments)


def check(config) -> None:
    main_ppo.check(config)
    actor, rollout = config.actor_rollout_ref.actor, config.actor_rollout_ref.rollout
    validate_config(config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    omega_conf_to_dataclass(rollout)
    gpus = config.trainer.nnodes * config.trainer.n_gpus_per_node
    assert config.data.train_batch_size % actor.ppo_mini_batch_size == 0
    assert actor.ppo_mini_batch_size * rollout.n % gpus == 0
    assert gpus % rollout.tensor_model_parallel_size == 0
    assert actor.ppo_max_token_len_per_gpu >= config.data.max_prompt_length + config.data.max_response_length


@pytest.mark.parametrize("script", SCRIPTS)
def test_command_is_a_valid_run(script):
    check(composed(overrides(script)))


@pytest.mark.parametrize("script", SCRIPTS)
def test_smoke_command_is_a_valid_run_without_a_gpu(script):
    config = composed(overrides(script, SMOKE="1"))
    check(config)
    assert config.trainer.device == "cpu"
    assert config.trainer.total_training_steps == 2
    assert config.actor_rollout_ref.actor.strategy == "fsdp2"


def test_arguments_come_last():
    config = composed(overrides("examples/baselines/dapo.sh", "actor_rollout_ref.actor.clip_ratio_high=0.3"))
    assert config.actor_rollout_ref.actor.clip_ratio_high == 0.3
    assert config.actor_rollout_ref.actor.loss_agg_mode == "token-mean"


def test_a_misspelt_key_does_not_compose():
    with pytest.raises(ConfigCompositionException, match="train_bach_size"):
        composed(overrides("examples/train/qwen3vl_8b.sh", "data.train_bach_size=4"))


def test_names_and_folders_are_each_script_s_own():
    key = "verl_ext.run_dir="
    folders = {script: [word for word in overrides(script) if word.startswith(key)][-1] for script in SCRIPTS}
    shared = {"examples/train/qwen3vl_8b_nodes.sh", "examples/train/slurm.sh"}
    assert len({folder for script, folder in folders.items() if script not in shared}) == len(SCRIPTS) - 2


@pytest.mark.parametrize(
    ("script", "entropy", "length"),
    [("no_shaping", 0, 0), ("entropy_only", 0.02, 0), ("length_only", 0, 0.1), ("all", 0.02, 0.1)],
)
def test_ablation_switches(script, entropy, length):
    block = OmegaConf.to_container(composed(overrides(f"examples/ablation/{script}.sh")).verl_ext.defaults)
    assert (block["entropy_coeff"], block["length_weight"]) == (entropy, length)
