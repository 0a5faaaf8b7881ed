"""verl checkpoint engine `file`: weights from trainer to rollout servers on the same machine, through one file.

For `verl_ext_separate_async` without a GPU, where none of verl's own engines works (NCCL, RDMA or GPU IPC). Plug point
`CheckpointEngineRegistry`, loaded by `rollout.checkpoint_engine.custom_backend_module`.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path
from typing import Any

import torch
from verl.checkpoint_engine.base import CheckpointEngine, CheckpointEngineRegistry

WAIT_SECONDS = 300.0


@CheckpointEngineRegistry.register("file")
class FileCheckpointEngine(CheckpointEngine):
    def __init__(self, bucket_size: int, is_master: bool = False) -> None:
        self.is_master = is_master
        self.path: Path | None = None

    def prepare(self) -> str | None:
        """The first trainer rank names a file; in memory where the machine has such a folder."""
        if not self.is_master:
            return None
        folder = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
        return str(Path(tempfile.mkdtemp(prefix="verl_ext_weights_", dir=folder)) / "weights.pt")

    @classmethod
    def build_topology(cls, actors: int, rollouts: int, metadata: list[Any]) -> tuple[dict, dict]:
        return {"path": [metadata[0]] * actors}, {"path": [metadata[0]] * rollouts}

    def init_process_group(self, path: str) -> None:
        self.path = Path(path)

    async def send_weights(self, weights: Iterator[tuple[str, torch.Tensor]], global_steps: int | None = None) -> None:
        # Every rank takes part in gathering; only one writes.
        state = {name: weight.detach().cpu().clone() if self.is_master else None for name, weight in weights}
        if self.is_master:
            part = self.path.with_suffix(".part")
            torch.save(state, part)
            os.replace(part, self.path)

    async def receive_weights(self, global_steps: int | None = None) -> AsyncGenerator[tuple[str, torch.Tensor], None]:
        waited = 0.0
        while not self.path.exists():
            if waited > WAIT_SECONDS:
                raise TimeoutError(f"no weights in {self.path} after {WAIT_SECONDS:g} s: did the trainer fail?")
            await asyncio.sleep(0.05)
            waited += 0.05
        for name, weight in torch.load(self.path, weights_only=True).items():
            yield name, weight

    def finalize(self) -> None:
        if self.is_master and self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path.parent.rmdir()
        self.path = None
