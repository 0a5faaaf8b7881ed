"""The checkpoint engine of the separate mode without a GPU, driven as verl's manager drives it."""

import asyncio

import pytest
import torch
import verl  # noqa: F401
from verl.checkpoint_engine.base import CheckpointEngineRegistry

from verl_ext import cpu_weights


def test_weights_reach_every_server_and_the_file_goes():
    engines = [CheckpointEngineRegistry.new("file", bucket_size=1, is_master=rank == 0) for rank in range(2)]
    servers = [CheckpointEngineRegistry.new("file", bucket_size=1) for _ in range(2)]
    sent = {"a": torch.randn(3, 4), "b": torch.randn(2).bfloat16()}
    metadata = [one.prepare() for one in (*engines, *servers)]
    actor_kwargs, rollout_kwargs = cpu_weights.FileCheckpointEngine.build_topology(2, 2, metadata)
    for group, kwargs in ((engines, actor_kwargs), (servers, rollout_kwargs)):
        for engine, path in zip(group, kwargs["path"], strict=True):
            engine.init_process_group(path)

    async def received(engine):
        return {name: weight async for name, weight in engine.receive_weights()}

    async def together():
        waiting = [asyncio.create_task(received(one)) for one in servers]
        await asyncio.sleep(0.01)
        await asyncio.gather(*(one.send_weights(iter(sent.items())) for one in engines))
        return await asyncio.gather(*waiting)

    for got in asyncio.run(together()):
        assert got.keys() == sent.keys()
        assert all(torch.equal(got[name], sent[name]) and got[name].dtype == sent[name].dtype for name in sent)
    folder = engines[0].path.parent
    for engine in (*engines, *servers):
        engine.finalize()
    assert not folder.exists()


def test_a_trainer_that_fails_does_not_leave_the_server_waiting(monkeypatch, tmp_path):
    monkeypatch.setattr(cpu_weights, "WAIT_SECONDS", 0.0)
    engine = CheckpointEngineRegistry.new("file", bucket_size=1)
    engine.init_process_group(str(tmp_path / "weights.pt"))
    with pytest.raises(TimeoutError, match="did the trainer fail"):
        asyncio.run(anext(engine.receive_weights()))
