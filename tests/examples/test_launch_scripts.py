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
def test_smoke_command_is_a_valid_run_without_a_gpu(script, tmp_path):
    (tmp_path / "smoke" / "model").mkdir(parents=True)  # which the script would make
    config = composed(overrides(script, SMOKE="1", CACHE=str(tmp_path)))
    check(config)
    assert config.trainer.device == "cpu"
    assert config.trainer.total_training_steps == 2
    assert config.actor_rollout_ref.actor.strategy == "fsdp2"


@pytest.mark.parametrize("script", SCRIPTS)
def test_a_smoke_run_writes_to_folders_of_its_own(script, tmp_path):
    config = composed(overrides(script, SMOKE="1", CACHE=str(tmp_path)))
    folders = [config.trainer.default_local_dir, config.trainer.validation_data_dir, config.verl_ext.run_dir]
    assert [folder for folder in folders if not folder.startswith(f"{tmp_path}/smoke/run")] == []


def test_the_doctor_examines_the_run_that_would_start():
    def command(**environment: str) -> str:
        own = os.environ | {"DRY_RUN": "1"} | environment
        return subprocess.run(
            ["bash", "examples/train/qwen3vl_8b.sh"], cwd=ROOT, env=own, capture_output=True, text=True, check=True
        ).stdout

    assert command(DOCTOR="1") == command().replace("verl_ext.main_ppo", "verl_ext.doctor")


def test_no_entropy_is_kept_in_chunks_for_the_gradient():
    actor = composed(overrides("examples/train/qwen3vl_8b.sh")).actor_rollout_ref.actor
    assert actor.fsdp_config.entropy_checkpointing and not actor.fsdp_config.entropy_from_logits_with_chunking
    # verl 0.9.1 reads the head's own weights there, which FSDP2 has sharded.
    assert not actor.use_fused_kernels


def test_megatron_recomputes_activations_and_takes_sizes_of_its_own_name():
    found = overrides("examples/train/qwen3vl_8b_megatron.sh", TP="3", PP="3", MEGATRON_TP="2", MEGATRON_PP="2")
    megatron = composed(found).actor_rollout_ref.actor.megatron
    assert (megatron.tensor_model_parallel_size, megatron.pipeline_model_parallel_size) == (2, 2)
    recompute = megatron.override_transformer_config
    assert (recompute.recompute_granularity, recompute.recompute_method) == ("full", "uniform")
    assert recompute.recompute_num_layers == 1 and not megatron.entropy_from_logits_with_chunking


def test_lora_does_not_take_the_rank_of_a_process():
    model = composed(overrides("examples/train/qwen3vl_8b_lora.sh", RANK="3", LORA_ALPHA="32")).actor_rollout_ref.model
    assert (model.lora_rank, model.lora_alpha) == (64, 32)


def asynchronous() -> list[tuple[dict[str, str], list[str]]]:
    """Environment and overrides of the commands in docs/scaling.md that choose a mode."""
    text = (ROOT / "docs" / "scaling.md").read_text().replace("\\\n", " ")
    lines = [line.split() for line in text.splitlines() if "trainer_mode=verl_ext_" in line and " bash " in f" {line}"]
    cuts = [(line, line.index("bash")) for line in lines]
    return [(dict(word.split("=") for word in line[:at]), line[at + 2 :]) for line, at in cuts]


def test_the_commands_of_the_docs_start_both_asynchronous_modes():
    colocated, separate = (
        composed(overrides("examples/train/qwen3vl_8b.sh", *more, **environment))
        for environment, more in asynchronous()
    )
    for config in (colocated, separate):
        check(config)
    assert colocated.trainer.v1.trainer_mode == "verl_ext_colocate_async" and colocated.actor_rollout_ref.hybrid_engine
    # What verl's PPOTrainerSeparateAsync asserts.
    rollout, mode = separate.actor_rollout_ref.rollout, separate.trainer.v1.separate_async
    mini_batch = separate.actor_rollout_ref.actor.ppo_mini_batch_size
    assert separate.data.train_batch_size == mode.parameter_sync_step * mini_batch
    assert rollout.nnodes > 0 and rollout.n_gpus_per_node > 0 and rollout.checkpoint_engine.backend != "naive"


EVALUATED = """#!/usr/bin/env bash
for word in "$@"; do case $word in
    trainer.validation_data_dir=*) mkdir -p "${word#*=}"; echo '{}' > "${word#*=}/0.jsonl"; echo ran ;;
esac; done
"""


def test_answers_of_another_evaluation_are_not_used_again(tmp_path):
    python, data = tmp_path / "python", tmp_path / "mmstar" / "val.parquet"
    python.write_text(EVALUATED)
    python.chmod(0o755)
    data.parent.mkdir()
    data.write_text("rows")

    def evaluate(*arguments: str, **environment: str) -> tuple[int, int, str]:
        own = {"PYTHON_BIN": str(python), "OUT": str(tmp_path / "out"), "FILES": str(data)} | environment
        command = ["bash", "examples/train/evaluate.sh", *arguments]
        done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True)
        return done.returncode, done.stdout.count("ran"), done.stderr

    assert evaluate()[:2] == (0, 1)
    assert evaluate()[:2] == (0, 0)
    changes = [{"MODEL": "other/Qwen3-VL-8B-Instruct"}, {"TEMPERATURE": "0"}, {"RESPONSE_TOKENS": "64"}]
    found = [evaluate(**change) for change in changes] + [evaluate("data.seed=1")]
    data.write_text("other rows")
    for code, ran, said in [*found, evaluate()]:
        assert (code, ran) == (1, 0)
        assert f"{tmp_path}/out/mmstar_val holds answers" in said and "OUT=" in said


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ("a/val b/val", "b/val.parquet is not there or is empty: prepare it"),
        ("a/val empty/val", "empty/val.parquet is not there or is empty"),
        ("p/q/val r/q/val", "/p/q/val.parquet and "),
    ],
)
def test_files_of_an_evaluation_are_looked_at_before_the_first_is_validated(tmp_path, files, said):
    for name in ("a/val", "empty/val", "p/q/val", "r/q/val"):
        path = tmp_path / f"{name}.parquet"
        path.parent.mkdir(parents=True)
        path.write_text("" if "empty" in name else "rows")
    python = tmp_path / "python"
    python.write_text(EVALUATED)
    python.chmod(0o755)
    own = {"PYTHON_BIN": str(python), "OUT": str(tmp_path / "out")}
    own |= {"FILES": " ".join(f"{tmp_path}/{name}.parquet" for name in files.split())}
    command = ["bash", "examples/train/evaluate.sh"]
    done = subprocess.run(command, cwd=ROOT, env=os.environ | own, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (1, "") and said in done.stderr
    assert not (tmp_path / "out").exists()


def test_a_model_that_cannot_be_copied_stops_the_quickstart(tmp_path):
    lines = (ROOT / "examples" / "quickstart.sh").read_text().splitlines()
    (copies,) = (line for line in lines if "cp -rT" in line)
    command = ["bash", "-euc", f"cp() {{ return 1; }}\n{copies}\necho on"]
    own = os.environ | {"MODEL": "", "CACHE": str(tmp_path)}
    done = subprocess.run(command, cwd=ROOT, env=own, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", "")


def test_an_interpreter_that_does_not_fit_is_the_only_thing_said(tmp_path):
    own = os.environ | {"VENV": str(tmp_path / "venv"), "EXTRA": "cpu", "PYTHON": "/nope"}
    done = subprocess.run(["bash", "examples/install.sh"], cwd=ROOT, env=own, capture_output=True, text=True)
    assert done.returncode == 1 and done.stderr.startswith("install: Python 3.11 or 3.12 is needed")
    assert len(done.stderr.splitlines()) == 1 and not (tmp_path / "venv").exists()


@pytest.mark.parametrize(
    ("extra", "gpu", "stamp", "found"),
    [
        ("", False, "", "cpu .venv"),
        ("", True, "", "gpu .venv"),
        ("gpu", False, "", "gpu .venv"),
        ("cpu", True, "", "cpu .venv-cpu"),
        ("cpu", False, "gpu 1 /x", "cpu .venv-cpu"),
        ("cpu", False, "cpu 1 /x", "cpu .venv"),
    ],
)
def test_builds_for_cpus_and_gpus_have_folders_of_their_own(tmp_path, extra, gpu, stamp, found):
    smi = tmp_path / "nvidia-smi"
    smi.write_text(f"#!/bin/sh\nexit {0 if gpu else 1}\n")
    smi.chmod(0o755)
    (tmp_path / ".venv").mkdir()
    if stamp:
        (tmp_path / ".venv" / ".verl_ext").write_text(stamp)
    done = subprocess.run(
        ["bash", "-euc", f'source "{ROOT}/examples/venv.sh"; echo $EXTRA $VENV'],
        cwd=tmp_path,
        env={"PATH": f"{tmp_path}:{os.environ['PATH']}", "EXTRA": extra},
        capture_output=True,
        text=True,
    )
    assert done.stdout.strip() == found, done.stderr


def test_builds_of_the_other_kind_are_refused(tmp_path):
    (tmp_path / ".verl_ext").write_text("gpu 1 /x")
    environment = os.environ | {"VENV": str(tmp_path), "EXTRA": "cpu"}
    done = subprocess.run(["bash", "examples/install.sh"], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 1 and f"{tmp_path} holds the gpu builds" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == [".verl_ext"]


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
