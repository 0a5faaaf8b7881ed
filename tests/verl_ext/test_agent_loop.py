"""The cached agent loop gives every response what verl's own gives, with fewer calls of the processor."""

import asyncio

import pytest
import verl  # noqa: F401
from PIL import Image
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from verl_ext import agent_loop
from verl_ext.agent_loop import KEPT, CachedSingleTurn, Recent


@pytest.fixture
def calls(monkeypatch):
    made = []

    async def build(self, messages, *, images=None, mm_inputs_out=None, **_kwargs):
        made.append(messages)
        await asyncio.sleep(0.01)
        if mm_inputs_out is not None:
            mm_inputs_out["pixels"] = images[0].getpixel((0, 0))
        return [len(messages[0]["content"]), 2]

    monkeypatch.setattr(SingleTurnAgentLoop, "ct_build_initial_tokens", build)
    monkeypatch.setattr(agent_loop, "_prompt_tokens", Recent())
    return made


def tokens_of(*prompts):
    """Tokens and features of prompts (text, colour) whose responses start at the same moment."""

    async def one(text, color):
        features = {}
        images = [Image.new("RGB", (4, 4), color)]
        loop = object.__new__(CachedSingleTurn)
        messages = [{"role": "user", "content": text}]
        return await loop.ct_build_initial_tokens(messages, images=images, mm_inputs_out=features), features

    async def together():
        return await asyncio.gather(*(one(*prompt) for prompt in prompts))

    return asyncio.run(together())


def test_responses_of_a_prompt_share_one_call(calls):
    results = tokens_of(*[("a", "red")] * 8)
    assert len(calls) == 1
    assert results == [([1, 2], {"pixels": (255, 0, 0)})] * 8
    assert results[0][0] is not results[1][0]


def test_another_text_or_image_is_another_prompt(calls):
    results = tokens_of(("a", "red"), ("a", "blue"), ("ab", "red"))
    assert len(calls) == 3
    assert [features["pixels"] for _, features in results] == [(255, 0, 0), (0, 0, 255), (255, 0, 0)]


def test_old_entries_go():
    recent = Recent()
    for number in range(KEPT + 5):
        recent.keep(number, number)
    assert list(recent) == list(range(5, KEPT + 5))
