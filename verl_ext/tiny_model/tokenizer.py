"""Tokenizer of the tiny model: byte-level BPE trained on the prompts and answers, with whole numbers as tokens."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable

from tokenizers import AddedToken, Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from data_prep.prompts import ANSWERS, THINKING_TAGS, prompt

END_OF_TEXT, TURN_START, TURN_END = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
VISION_START, VISION_END = "<|vision_start|>", "<|vision_end|>"
IMAGE_PAD, VIDEO_PAD = "<|image_pad|>", "<|video_pad|>"
CONTROL_TOKENS = (END_OF_TEXT, TURN_START, TURN_END, VISION_START, VISION_END, IMAGE_PAD, VIDEO_PAD)
TAG_TOKENS = ("<thinking>", "</thinking>", "<think>", "</think>", "<answer>", "</answer>")
"""One token each, as Qwen3 does for its thinking tags; not special, so that decoding keeps them."""

INSTRUCTIONS = tuple(prompt("", kind=kind, thinking_tag=tag, images=0) for tag in THINKING_TAGS for kind in ANSWERS)
"""The answer instructions of the prompts, one token each in place of some twenty: a quarter of the work."""

WORD_PATTERN = r" ?\p{L}\p{Ll}+|\p{Lu}+| ?\p{L}|\p{N}+| ?[^\s\p{L}\p{N}]+ ?|\s+"
"""Unlike Qwen's own pattern: digits stay together, punctuation keeps the spaces round it, and words in capitals and
single capitals never take the space before them, so that an answer copied from the text is the same tokens."""

CHAT_TEMPLATE = (
    "{%- set ns = namespace() -%}"
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message.role + '\\n' -}}"
    "{%- if message.content is string -%}{{- message.content -}}"
    "{%- else -%}"
    "{%- for part in message.content -%}"
    "{%- if part.type == 'image' or 'image' in part or 'image_url' in part -%}"
    "{{- '<|vision_start|><|image_pad|><|vision_end|>' -}}"
    "{%- elif part.type == 'video' or 'video' in part -%}{{- '<|vision_start|><|video_pad|><|vision_end|>' -}}"
    "{%- elif 'text' in part -%}{{- part.text -}}"
    "{%- endif -%}"
    "{%- endfor -%}"
    "{%- endif -%}"
    "{{- '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
"""Qwen3-VL's turns without its tool calls."""


def number_merges() -> list[tuple[str, str]]:
    """BPE merges that make 10..99 and the multiples of ten up to 1000 single tokens, lowest rank first.

    BPE applies the lowest rank anywhere in the word first, so a number abc is reached from (ab, c) or (a, bc),
    whichever of ab and bc stands earlier; other numbers split into such pieces.
    """
    merges = [(str(n // 10), str(n % 10)) for n in range(10, 100)]
    for n in range(100, 1000, 10):
        head, tail = n // 10, n % 100
        merges.append((str(head), "0") if tail < 10 or head <= tail else (str(n // 100), str(tail)))
    return [*merges, ("100", "0")]


def _word_merges(texts: Iterable[str], size: int) -> list[tuple[str, str]]:
    """At most `size` merges learned from `texts`, digits left out (`number_merges` has them)."""
    bpe = Tokenizer(models.BPE())
    bpe.pre_tokenizer = _pre_tokenizer()
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    trainer = trainers.BpeTrainer(
        vocab_size=len(alphabet) + size, initial_alphabet=alphabet, min_frequency=2, show_progress=False
    )
    bpe.train_from_iterator((re.sub(r"\d+", "\n", text) for text in texts), trainer)
    return [(left, right) for left, right in json.loads(bpe.to_str())["model"]["merges"]]


def _pre_tokenizer() -> pre_tokenizers.PreTokenizer:
    split = pre_tokenizers.Split(Regex(WORD_PATTERN), behavior="isolated")
    return pre_tokenizers.Sequence([split, pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)])


def train_tokenizer(texts: Iterable[str], *, max_words: int = 600) -> PreTrainedTokenizerFast:
    """Byte-level BPE with the numbers of `number_merges` and at most `max_words` merges learned from `texts`."""
    merges = number_merges() + _word_merges(texts, max_words)
    tokens = sorted(pre_tokenizers.ByteLevel.alphabet())
    vocab = {token: rank for rank, token in enumerate(dict.fromkeys([*tokens, *(a + b for a, b in merges)]))}
    bpe = Tokenizer(models.BPE(vocab=vocab, merges=merges))
    bpe.pre_tokenizer = _pre_tokenizer()
    bpe.decoder = decoders.ByteLevel()
    bpe.add_tokens([AddedToken(tag, normalized=False, special=False) for tag in TAG_TOKENS + INSTRUCTIONS])
    bpe.add_special_tokens([AddedToken(token, normalized=False, special=True) for token in CONTROL_TOKENS])
    return PreTrainedTokenizerFast(
        tokenizer_object=bpe,
        eos_token=TURN_END,
        pad_token=END_OF_TEXT,
        additional_special_tokens=[t for t in CONTROL_TOKENS if t not in (TURN_END, END_OF_TEXT)],
        chat_template=CHAT_TEMPLATE,
        model_max_length=4096,
        clean_up_tokenization_spaces=False,
    )
