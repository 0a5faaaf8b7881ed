"""A random Qwen2.5-VL with the tokenizer of a tiny Qwen3-VL, since `verl_ext.tiny_model` makes the latter only."""

from pathlib import Path

import torch
from transformers import (
    AutoTokenizer,
    GenerationConfig,
    Qwen2_5_VLConfig,
    Qwen2_5_VLForConditionalGeneration,
    Qwen2_5_VLProcessor,
    Qwen2VLImageProcessor,
    Qwen2VLVideoProcessor,
)

MARKS = {"image_token_id": "<|image_pad|>", "video_token_id": "<|video_pad|>"}
MARKS |= {"vision_start_token_id": "<|vision_start|>", "vision_end_token_id": "<|vision_end|>"}
PIXELS = {"shortest_edge": 56 * 56, "longest_edge": 512 * 512}
WIDTH = 96
VISION = {"depth": 2, "hidden_size": 64, "intermediate_size": 128, "num_heads": 2, "out_hidden_size": WIDTH}
VISION |= {"window_size": 112, "fullatt_block_indexes": [1], "tokens_per_second": 2}


def write(source: Path, out: Path) -> Path:
    """The folder `out`, with the tokenizer in `source`."""
    tokenizer = AutoTokenizer.from_pretrained(source)
    ends = {"eos_token_id": tokenizer.eos_token_id, "pad_token_id": tokenizer.pad_token_id}
    text = {"vocab_size": len(tokenizer), "hidden_size": WIDTH, "intermediate_size": 192, "num_hidden_layers": 2}
    text |= {"num_attention_heads": 3, "num_key_value_heads": 3, "max_position_embeddings": 4096, **ends}
    text["rope_parameters"] = {"rope_type": "default", "mrope_section": [4, 6, 6], "rope_theta": 10_000.0}
    text |= {"tie_word_embeddings": True, "bos_token_id": None, "initializer_range": 0.2}
    marks = {name: tokenizer.convert_tokens_to_ids(token) for name, token in MARKS.items()}
    config = Qwen2_5_VLConfig(text_config=text, vision_config=VISION, tie_word_embeddings=True, **marks)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = Qwen2_5_VLForConditionalGeneration(config).float()
    model.generation_config = GenerationConfig(**ends)
    processor = Qwen2_5_VLProcessor(
        image_processor=Qwen2VLImageProcessor(size=dict(PIXELS)),
        tokenizer=tokenizer,
        video_processor=Qwen2VLVideoProcessor(size=dict(PIXELS)),
        chat_template=tokenizer.chat_template,
    )
    for part in (model, processor, tokenizer):
        part.save_pretrained(out)
    return out
