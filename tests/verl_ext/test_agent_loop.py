"""The cached agent loop gives every response what verl's own gives, with fewer calls of the processor."""

import asyncio

import pytest
import torch
import verl  # noqa: F401
from omegaconf import OmegaConf
from PIL import Image
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop

from verl_ext import agent_loop
from verl_ext.agent_loop import KEPT, AgentLoopWorkerTQ, CachedSingleTurn, Recent, request_seed


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


ROW = {"validate": False, "step": 3, "prompt": "000003-000005", "session": 0}


@pytest.mark.parametrize("other", [{"validate": True}, {"step": 4}, {"prompt": "000003-000006"}, {"session": 1}])
def test_every_request_has_a_seed_of_its_own(other):
    assert request_seed(0, **ROW) != request_seed(0, **ROW | other)
    assert request_seed(0, **ROW) != request_seed(1, **ROW)


def test_seeds_are_the_same_in_every_process_and_fit_vllm():
    assert request_seed(0, **ROW) == 2922888125404557866
    assert all(0 <= request_seed(0, **ROW | {"prompt": str(index)}) < 2**63 for index in range(200))


@pytest.mark.parametrize(
    "mode, rollout, wanted, loop, seeded",
    [
        ("sync", "vllm", True, "verl_ext_single_turn", True),
        ("sync", "vllm", True, "single_turn_agent", True),
        ("sync", "vllm", True, "tool_agent", False),
        ("sync", "vllm", False, "single_turn_agent", False),
        ("sync", "sglang", True, "single_turn_agent", False),
        ("colocate_async", "vllm", True, "single_turn_agent", False),
    ],
)
def test_seed_reaches_the_request_and_leaves_the_shared_parameters_alone(
    monkeypatch, mode, rollout, wanted, loop, seeded
):
    got = []

    async def run(self, sampling_params, trajectory, **_kwargs):
        got.append(sampling_params)

    monkeypatch.setattr(AgentLoopWorkerTQ.__ray_metadata__.modified_class, "_run_agent_loop", run)
    worker = object.__new__(agent_loop._SeededWorker)
    worker.config = OmegaConf.create(
        {
            "actor_rollout_ref": {"rollout": {"name": rollout, "seed": 0}},
            "trainer": {"v1": {"trainer_mode": mode}},
            "verl_ext": {"seeded_rollouts": wanted},
        }
    )
    shared = {"temperature": 1.0}
    row = {"agent_name": loop, "data_source": "a", "session_id": 0}
    # Rows without an index have index 0, all of them.
    trajectory = {"step": 3, "sample_index": torch.tensor(0), "validate": False}
    asyncio.run(worker._run_agent_loop(shared, trajectory, uid=ROW["prompt"], **row))
    assert got[0].get("seed") == (request_seed(0, **ROW) if seeded else None)
    trajectory |= {"sample_index": torch.tensor(5), "validate": True}
    asyncio.run(worker._run_agent_loop(shared, trajectory, uid="random", **row))
    assert got[1].get("seed") == (request_seed(0, **ROW | {"validate": True, "prompt": "a|5"}) if seeded else None)
    assert shared == {"temperature": 1.0}
