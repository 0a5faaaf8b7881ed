"""The untrained tiny Qwen3-VL: transformers' own classes with small sizes, and the folder that holds them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from transformers import (
    GenerationConfig,
    PreTrainedTokenizerBase,
    Qwen2VLImageProcessor,
    Qwen3VLConfig,
    Qwen3VLForConditionalGeneration,
    Qwen3VLProcessor,
    Qwen3VLVideoProcessor,
)

from verl_ext.tiny_model import tokenizer as tok

PATCH, MERGE = 16, 2


@dataclass(frozen=True)
class ModelSize:
    """Sizes of the tiny model; the defaults give about a million parameters."""

    text_width: int = 96
    text_depth: int = 3
    heads: int = 3
    head_dim: int = 32
    text_mlp: int = 256
    vision_width: int = 64
    vision_depth: int = 2
    vision_heads: int = 2
    vision_mlp: int = 128
    initializer_range: float = 0.05


def model_config(tokenizer: PreTrainedTokenizerBase, size: ModelSize) -> Qwen3VLConfig:
    """Qwen3-VL's config for `size`, with the vocabulary of `tokenizer` (equal lengths: vLLM pads none)."""
    token_id = tokenizer.convert_tokens_to_ids
    config = Qwen3VLConfig(
        text_config={
            "vocab_size": len(tokenizer),
            "hidden_size": size.text_width,
            "intermediate_size": size.text_mlp,
            "num_hidden_layers": size.text_depth,
            "num_attention_heads": size.heads,
            "num_key_value_heads": size.heads,
            "head_dim": size.head_dim,
            "max_position_embeddings": 4096,
            "initializer_range": size.initializer_range,
            "tie_word_embeddings": True,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": 10_000.0,
                "mrope_section": _mrope_section(size.head_dim),
                "mrope_interleaved": True,
            },
            "eos_token_id": token_id(tok.TURN_END),
            "pad_token_id": token_id(tok.END_OF_TEXT),
            # vLLM builds the language model by this name.
            "architectures": ["Qwen3VLForConditionalGeneration"],
        },
        vision_config={
            "depth": size.vision_depth,
            "hidden_size": size.vision_width,
            "intermediate_size": size.vision_mlp,
            "num_heads": size.vision_heads,
            "out_hidden_size": size.text_width,
            "patch_size": PATCH,
            "spatial_merge_size": MERGE,
            "num_position_embeddings": 64,
            "deepstack_visual_indexes": list(range(size.vision_depth)),
            "initializer_range": size.initializer_range,
        },
        image_token_id=token_id(tok.IMAGE_PAD),
        video_token_id=token_id(tok.VIDEO_PAD),
        vision_start_token_id=token_id(tok.VISION_START),
        vision_end_token_id=token_id(tok.VISION_END),
        tie_word_embeddings=True,
    )
    config.architectures = ["Qwen3VLForConditionalGeneration"]
    return config


def _mrope_section(head_dim: int) -> list[int]:
    """Shares of time, height and width in the rotary half of a head, as Qwen3-VL's 24/20/20 of 64."""
    half = head_dim // 2
    side = half * 20 // 64
    return [half - 2 * side, side, side]


def build_processor(tokenizer: PreTrainedTokenizerBase) -> Qwen3VLProcessor:
    """Qwen3-VL's processor; mean and standard deviation put a white background at about 0."""
    pixels = {"shortest_edge": 64 * 64, "longest_edge": 512 * 512}
    shared = {"patch_size": PATCH, "merge_size": MERGE, "temporal_patch_size": 2}
    shared |= {"image_mean": [0.95] * 3, "image_std": [0.35] * 3}
    return Qwen3VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=dict(pixels), **shared),
        tokenizer=tokenizer,
        video_processor=Qwen3VLVideoProcessor(size=dict(pixels), **shared),
        chat_template=tokenizer.chat_template,
    )


def build_model(tokenizer: PreTrainedTokenizerBase, size: ModelSize, *, seed: int) -> Qwen3VLForConditionalGeneration:
    """The model with random weights drawn from `seed`, float32."""
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = Qwen3VLForConditionalGeneration(model_config(tokenizer, size)).float()
    model.generation_config = GenerationConfig(
        eos_token_id=tokenizer.convert_tokens_to_ids([tok.TURN_END, tok.END_OF_TEXT]),
        pad_token_id=tokenizer.convert_tokens_to_ids(tok.END_OF_TEXT),
        do_sample=True,
        temperature=1.0,
    )
    return model


def save(model: Qwen3VLForConditionalGeneration, processor: Qwen3VLProcessor, out: Path) -> None:
    """Writes the folder that `from_pretrained` and vLLM load."""
    out.mkdir(parents=True, exist_ok=True)
    model.save_pretrained(out)
    processor.save_pretrained(out)
    processor.tokenizer.save_pretrained(out)


def describe(model: Qwen3VLForConditionalGeneration, tokenizer: PreTrainedTokenizerBase) -> dict[str, int]:
    """Parameters (tied weights once) and vocabulary."""
    return {"parameters": sum(weight.numel() for weight in model.parameters()), "vocabulary": len(tokenizer)}
