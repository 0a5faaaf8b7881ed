"""The same numbers with a third of the CPU time: what the stock forward pass spends on images of one size.

Stock Qwen3-VL embeds patches by a 3-D convolution (slow backward on CPUs), attends image by image, and computes logits
at every position. For a batch whose images have one size and are not videos, a matrix product, one batched attention
and the logits of the response do. A test compares both.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from typing import Any

import torch
from torch.nn import functional as F
from transformers import Qwen3VLForConditionalGeneration
from transformers.models.qwen3_vl.modeling_qwen3_vl import apply_rotary_pos_emb_vision
from transformers.vision_utils import get_vision_bilinear_indices_and_weights, get_vision_position_ids


@contextmanager
def fast_vision(model: Qwen3VLForConditionalGeneration) -> Iterator[None]:
    """Replaces the slow parts of this model's vision tower inside the block; images of one batch must have one size."""
    visual = model.model.visual
    modules = [visual, visual.patch_embed, *(block.attn for block in visual.blocks)]
    try:
        visual.forward = partial(_tower, visual)
        visual.patch_embed.forward = partial(_embed, visual.patch_embed)
        for block in visual.blocks:
            block.attn.forward = partial(_attend, block.attn)
        yield
    finally:
        for module in modules:
            module.__dict__.pop("forward", None)


def _tower(visual: Any, patches: torch.Tensor, grid_thw: torch.Tensor, **options: Any) -> Any:
    """Positions of one image, repeated, in place of a loop over the images."""
    images, one = len(grid_thw), grid_thw[:1]
    indices, weights = get_vision_bilinear_indices_and_weights(one, visual.num_grid_per_side, visual.spatial_merge_size)
    positions = get_vision_position_ids(one, visual.spatial_merge_size)
    options |= {"bilinear_indices": indices.repeat(1, images), "bilinear_weights": weights.repeat(1, images)}
    return type(visual).forward(visual, patches, grid_thw, position_ids=positions.repeat(images, 1), **options)


def _embed(module: Any, patches: torch.Tensor) -> torch.Tensor:
    """Patches (count, channels * frames * height * width), frames equal, so that their weights can be added first."""
    weight = module.proj.weight.sum(2).flatten(1)
    shape = (len(patches), module.in_channels, module.temporal_patch_size, module.patch_size**2)
    return F.linear(patches.view(shape)[:, :, 0].flatten(1), weight, module.proj.bias)


def _attend(
    module: Any, states: torch.Tensor, cu_seqlens: torch.Tensor, position_embeddings: tuple[torch.Tensor, torch.Tensor],
    **_: Any,
) -> torch.Tensor:  # fmt: skip
    images, heads = len(cu_seqlens) - 1, module.num_heads
    query, key, value = module.qkv(states).view(len(states), 3, heads, -1).unbind(1)
    query, key = apply_rotary_pos_emb_vision(query, key, *position_embeddings)
    split = [part.reshape(images, -1, heads, module.head_dim).transpose(1, 2) for part in (query, key, value)]
    mixed = F.scaled_dot_product_attention(*split, scale=module.scaling)
    return module.proj(mixed.transpose(1, 2).reshape(len(states), -1))


def response_loss(model: Qwen3VLForConditionalGeneration, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    """Mean cross-entropy over the labelled positions, as the model's own loss."""
    inputs = {key: value for key, value in batch.items() if key != "labels"}
    kinds = batch["mm_token_type_ids"]
    if bool((kinds == kinds[:1]).all()):
        positions, _ = model.model.get_rope_index(batch["input_ids"][:1], kinds[:1], batch["image_grid_thw"][:1])
        inputs["position_ids"] = positions.expand(-1, len(kinds), -1)
    hidden = model.model(**inputs, use_cache=False).last_hidden_state[:, :-1]
    labels = batch["labels"][:, 1:]
    wanted = labels != -100
    return F.cross_entropy(model.lm_head(hidden[wanted]), labels[wanted])
