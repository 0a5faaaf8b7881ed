"""Rows with videos: can their files be read, and do their prompts fit."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from data_prep.check_rows import load_processor
from verl_ext.doctor.finding import Finding, fault, ok

LOOKED_INTO = 4
"""Rows of each file; reading a video may take seconds."""


def video_findings(
    name: str, rows: Sequence[Mapping[str, Any]], *, processor: str, patch: int, max_prompt_length: int
) -> Iterator[Finding]:
    """`processor`: model folder or hub id; `patch`: `data.image_patch_size`; the first rows are looked into."""
    longest, faults = 0, False
    for row in rows[:LOOKED_INTO]:
        which = f"{name}: row {row['extra_info']['index']} of {row['data_source']}"
        try:
            tokens = prompt_tokens(row, load_processor(processor), patch)
        except (OSError, ValueError) as error:
            faults = True
            yield fault("data", f"{which}: {error}", "mend the file, or leave the row out")
            continue
        longest = max(longest, tokens)
        if tokens > max_prompt_length:
            faults = True
            fix = "raise data.max_prompt_length, or give the video a smaller max_pixels, fps or max_frames"
            yield fault("data", f"{which}: {tokens} tokens with its video, over {max_prompt_length}", fix)
    if not faults:
        looked = min(LOOKED_INTO, len(rows))
        yield ok("data", f"{name}: the prompts of {looked} rows with videos take up to {longest} tokens")


def prompt_tokens(row: Mapping[str, Any], processor: Any, patch: int) -> int:
    """Tokens of a prompt, made as verl makes them."""
    from qwen_vl_utils import process_vision_info
    from verl.utils.tokenizer import build_multimodal_processor_inputs

    from data_prep.schema import read_row_image

    images = (read_row_image(row, position) for position in range(len(row["images"] or [])))
    videos = (json.loads(video) for video in row["videos"])
    messages = [each | {"content": list(_parts(each["content"], images, videos))} for each in row["prompt"]]
    text = processor.apply_chat_template(messages, add_generation_prompt=True, tokenize=False)
    seen, moved = process_vision_info(messages, image_patch_size=patch, return_video_metadata=True)
    return len(build_multimodal_processor_inputs(processor, text=[text], images=seen, videos=moved)["input_ids"][0])


def _parts(content: str, images: Iterator[Any], videos: Iterator[Any]) -> Iterator[dict[str, Any]]:
    for piece in re.split("(<image>|<video>)", content):
        if piece == "<image>":
            yield {"type": "image", "image": next(images)}
        elif piece == "<video>":
            video = next(videos)
            yield {"type": "video", **(video if isinstance(video, dict) else {"video": video})}
        elif piece:
            yield {"type": "text", "text": piece}
