"""Greedy answers of the tiny model, scored with the project's own rewards, per task."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

import torch
from transformers import Qwen3VLForConditionalGeneration, Qwen3VLProcessor

from reward_fns.score import compute_score
from verl_ext.tiny_model.rows import QUICK, Example, prompt_text

MODES = ("free", "quick", "worked")


@torch.no_grad()
def answers(
    model: Qwen3VLForConditionalGeneration, processor: Qwen3VLProcessor, examples: Sequence[Example],
    *, mode: str = "free", thinking_tag: str = "thinking", max_new_tokens: int = 80, batch: int = 96,
) -> list[str]:  # fmt: skip
    """Greedy responses. `quick` puts the hasty thinking before the answer, `worked` forbids its first word."""
    tokenizer = processor.tokenizer
    start = {"free": "", "quick": f"<{thinking_tag}>{QUICK}</{thinking_tag}>", "worked": f"<{thinking_tag}>"}[mode]
    banned = tokenizer(QUICK).input_ids[:1] if mode == "worked" else None
    found = []
    for first in range(0, len(examples), batch):
        part = examples[first : first + batch]
        inputs = processor(
            text=[prompt_text(example.prompt, processor) + start for example in part],
            images=[example.image for example in part],
            padding=True,
            padding_side="left",
            return_tensors="pt",
        )
        tokens = model.generate(
            **inputs, max_new_tokens=max_new_tokens, do_sample=False, begin_suppress_tokens=banned, temperature=None
        )
        texts = tokenizer.batch_decode(tokens[:, inputs["input_ids"].shape[1] :], skip_special_tokens=True)
        found += [start + text for text in texts]
    return found


def scores(examples: Sequence[Example], responses: Sequence[str]) -> dict[str, dict[str, float]]:
    """Per task: means of `accuracy` (official), `reward` and `format`, and the number of `rows`."""
    sums: dict[str, list[dict[str, float]]] = defaultdict(list)
    for example, text in zip(examples, responses, strict=True):
        score = compute_score(example.data_source, text, example.ground_truth, example.extra_info)
        sums[example.task].append({"accuracy": score["acc"], "reward": score["accuracy"], "format": score["format"]})
    return {
        task: {key: sum(row[key] for row in rows) / len(rows) for key in rows[0]} | {"rows": len(rows)}
        for task, rows in sorted(sums.items())
    }
