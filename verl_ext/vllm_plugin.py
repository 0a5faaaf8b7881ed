"""Entry point of group `vllm.general_plugins`: called by vLLM in every one of its processes.

`tests/verl_ext/test_video_prompts.py` fails when one of the patches for videos is no longer needed.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Mapping
from types import ModuleType
from typing import Any

import wrapt


def register() -> None:
    wrapt.register_post_import_hook(outer_marks, "vllm.model_executor.models.qwen3_vl")
    wrapt.register_post_import_hook(frame_rates, "vllm.model_executor.models.qwen2_5_vl")
    keep_weights()


def keep_weights() -> None:
    """Keep the weights of vLLM's CPU linear layers in place, so that a weight update from the trainer can reach them.

    vLLM 0.24 for CPUs packs each linear layer for oneDNN and drops the original weight; a later weight update then
    fails and the run hangs. On a GPU this does nothing.
    """
    from vllm.platforms import current_platform

    if current_platform.is_cpu():
        from vllm import _custom_ops

        _custom_ops._supports_onednn = False


def outer_marks(qwen3_vl: ModuleType) -> None:
    """vLLM 0.24 replaces the marks round a video of Qwen3-VL too; transformers from 5.10 on, with whose tokens verl
    trains, keeps them round all of the video's frames.
    """
    processor = qwen3_vl.Qwen3VLMultiModalProcessor
    original = processor.get_video_repl

    @functools.wraps(original)
    def with_marks(*, select_token_id: bool = False, **given: Any) -> Any:
        made = original(select_token_id=select_token_id, **given)
        if not select_token_id:  # pruned videos, of which the trainer knows nothing
            return made
        whole = [given["vision_start_token_id"], *made.full, given["vision_end_token_id"]]
        return dataclasses.replace(made, full=whole)

    processor.get_video_repl = staticmethod(with_marks)


def frame_rates(qwen2_5_vl: ModuleType) -> None:
    """vLLM 0.24 drops what comes with a video of Qwen2.5-VL and takes it for one of 24 frames per second, whatever the
    frames that were taken: all of its time positions were about 0.
    """
    info, processor = qwen2_5_vl.Qwen2_5_VLProcessingInfo, qwen2_5_vl.Qwen2_5_VLMultiModalProcessor
    get_parser, call = info.get_data_parser, processor._call_hf_processor

    @functools.wraps(get_parser)
    def get_data_parser(self: Any) -> Any:
        parser = get_parser(self)
        parser.video_needs_metadata = True
        read = parser._get_video_with_metadata
        # A video without (as vLLM's own, with which it measures memory) keeps an empty one.
        parser._get_video_with_metadata = lambda video: (lambda frames, about: (frames, about or {}))(*read(video))
        return parser

    @functools.wraps(call)
    def call_with_metadata(self: Any, prompt: str, mm_data: Mapping[str, Any], mm_kwargs: Any, tok_kwargs: Any) -> Any:
        pairs = [video for video in mm_data.get("videos") or () if isinstance(video, tuple)]
        if pairs:
            mm_data = {**mm_data, "videos": [frames for frames, _ in pairs]}
            if all(about for _, about in pairs):
                mm_data["video_metadata"] = [about for _, about in pairs]
                mm_kwargs = {"do_sample_frames": False, **mm_kwargs}
        return call(self, prompt, mm_data, mm_kwargs, tok_kwargs)

    info.get_data_parser = get_data_parser
    processor._call_hf_processor = call_with_metadata
