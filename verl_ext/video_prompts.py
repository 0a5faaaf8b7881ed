"""Token ids and positions of prompts with videos, where verl, vLLM and transformers count differently.

Which of them is mended by what: `verl_ext/verl_patches.py` and `verl_ext/vllm_plugin.py`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from typing import Any

import torch


def collapse_videos(ids: Sequence[int], *, start: int, pad: int, end: int) -> list[int]:
    """Every expanded video of Qwen3-VL as `start pad end` again, which is what the chat template wrote.

    Expanded it is `start (time start pad… end)+ end`, where a time is one or more other tokens.
    """
    kinds = {start: "S", pad: "P", end: "E"}
    found: list[int] = []
    done = 0
    for video in re.finditer("S(?:t+SP+E)+E", "".join(kinds.get(token, "t") for token in ids)):
        found += [*ids[done : video.start()], start, pad, end]
        done = video.end()
    return [*found, *ids[done:]]


def qwen2_5_positions(
    ids: Sequence[int], grids: dict[int, list[list[int]]], rates: dict[int, list[float]], *, merge: int
) -> torch.Tensor:
    """Positions (3: time, height, width; length) of Qwen2.5-VL as vLLM and the model's first code count them.

    `grids` and `rates`: for the pad token of images and that of videos, the patches (time, height, width) of each and
    its positions per time patch. What follows an image or a video starts behind its largest position.
    """
    media = {pad: zip(grids[pad], rates[pad], strict=True) for pad in grids}
    parts: list[torch.Tensor] = []
    begin = 0
    for pad, run in groupby(ids, key=lambda token: token if token in media else None):
        if pad is None:
            part = torch.arange(len(list(run))).expand(3, -1)
        else:
            (frames, height, width), rate = next(media[pad])
            times = (torch.arange(frames, dtype=torch.float64) * rate).long()
            axes = (times, torch.arange(height // merge), torch.arange(width // merge))
            part = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
        parts.append(part + begin)
        begin = int(parts[-1].max()) + 1
    return torch.cat(parts, dim=1)


def frame_rates(features: Mapping[str, Any]) -> dict[str, Any]:
    """What `verl` calls as `processor.get_rope_index_kwargs`."""
    return {key: features[key] for key in ("second_per_grid_ts",) if key in features}


def qwen2_5_rope_index(
    processor: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    image_grid_thw: torch.Tensor | None = None,
    video_grid_thw: torch.Tensor | None = None,
    second_per_grid_ts: torch.Tensor | None = None,
    **_: Any,
) -> tuple[torch.Tensor, None]:
    """What `verl` calls as `processor.get_rope_index`, for one row: (1, length) to (3, 1, length)."""
    vision = processor.config.vision_config
    images, videos = ([] if grid is None else grid.tolist() for grid in (image_grid_thw, video_grid_thw))
    seconds = [1.0] * len(videos) if second_per_grid_ts is None else second_per_grid_ts.tolist()
    valid = attention_mask[0].bool()
    found = qwen2_5_positions(
        input_ids[0, valid].tolist(),
        {processor.image_token_id: images, processor.video_token_id: videos},
        {
            processor.image_token_id: [1.0] * len(images),
            processor.video_token_id: [each * vision.tokens_per_second for each in seconds],
        },
        merge=vision.spatial_merge_size,
    )
    positions = torch.zeros(3, 1, input_ids.shape[1], dtype=torch.long)
    positions[:, 0, valid] = found
    return positions, None
