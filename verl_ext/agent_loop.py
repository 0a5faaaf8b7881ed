"""verl's agent loops with a seed per request, and without repeated image processing: plug point
`rollout.agent.agent_loop_manager_class`.

verl saves no sampling state, so a resumed run would draw other responses. Here the seed of every request follows from
the run's seed, the prompt's place in the run (in validation its row) and the session.

verl 0.9.1 runs the image processor three times for every response: for the prompt's tokens, for the reward and for
training. All of these depend on the prompt's images alone, so the n responses of a prompt share two results.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from collections import OrderedDict
from collections.abc import Sequence
from typing import Any

import ray
import torch
from PIL import Image
from verl.experimental.agent_loop.agent_loop import register
from verl.experimental.agent_loop.single_turn_agent_loop import SingleTurnAgentLoop
from verl.trainer.ppo.v1.agent_loop_tq import AgentLoopManagerTQ, AgentLoopWorkerTQ

SINGLE_TURN = ("single_turn_agent", "verl_ext_single_turn")
# Prompts in flight whose results are kept: the responses of a prompt are generated at about the same time.
KEPT = 64


def images_key(images: Sequence[Image.Image]) -> str:
    digest = hashlib.sha256()
    for image in images:
        digest.update(f"{image.mode} {image.size} ".encode())
        digest.update(image.tobytes())
    return digest.hexdigest()


def request_seed(run_seed: int, *, validate: bool, step: int, prompt: str, session: int) -> int:
    """Seed of one response, in [0, 2**63); the same in every process and Python."""
    text = f"{run_seed}|{'val' if validate else 'train'}|{step}|{prompt}|{session}"
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:8], "big") >> 1


class Recent(OrderedDict):
    """The last KEPT entries, oldest use first."""

    def keep(self, key: Any, value: Any) -> None:
        self[key] = value
        self.move_to_end(key)
        if len(self) > KEPT:
            self.popitem(last=False)


_prompt_tokens = Recent()


@register("verl_ext_single_turn")
class CachedSingleTurn(SingleTurnAgentLoop):
    """verl's single-turn loop; the prompt's tokens are made once for its n responses."""

    async def ct_build_initial_tokens(self, messages: list[dict], *args: Any, **kwargs: Any) -> list[int]:
        images, features = kwargs.get("images"), kwargs.get("mm_inputs_out")
        if not images or kwargs.get("videos") or kwargs.get("audios"):
            return await super().ct_build_initial_tokens(messages, *args, **kwargs)
        text = json.dumps(messages, default=lambda _image: None)
        key = (text, images_key(images))
        if key not in _prompt_tokens:
            own: dict[str, Any] = {}
            made = super().ct_build_initial_tokens(messages, *args, **{**kwargs, "mm_inputs_out": own})
            # A task, so that the other responses of the prompt, which start at the same moment, wait for this one.
            _prompt_tokens.keep(key, (asyncio.ensure_future(made), own))
        task, known = _prompt_tokens[key]
        tokens = await task
        if features is not None:
            features.update(known)
        return list(tokens)


class _SeededWorker(AgentLoopWorkerTQ.__ray_metadata__.modified_class):
    """verl's agent-loop worker; requests carry seeds where that makes a run repeatable.

    The turns of other loops are requests of their own, which would all start the same random stream.
    """

    async def _run_agent_loop(self, sampling_params: dict, trajectory: dict, **kwargs: Any) -> Any:
        rollout = self.config.actor_rollout_ref.rollout
        wanted = (self.config.get("verl_ext") or {}).get("seeded_rollouts", True) and rollout.name == "vllm"
        # The asynchronous modes depend on timing anyway, and a request continued after a weight update would start its
        # random stream again from the same seed.
        if wanted and self.config.trainer.v1.trainer_mode == "sync" and kwargs["agent_name"] in SINGLE_TURN:
            validate = trajectory["validate"]
            # The trainer names prompts of training by their place in the run; those of validation have random names.
            row = f"{kwargs.get('data_source')}|{_plain(trajectory['sample_index'])}"
            seed = request_seed(
                rollout.seed,
                validate=validate,
                step=int(trajectory["step"]),
                prompt=row if validate else str(kwargs["uid"]),
                session=kwargs["session_id"],
            )
            sampling_params = {**sampling_params, "seed": seed}
        return await super()._run_agent_loop(sampling_params, trajectory, **kwargs)


def _plain(index: Any) -> Any:
    return index.item() if hasattr(index, "item") else getattr(index, "data", index)


class _CachedWorker(_SeededWorker):
    """The images' features are computed once for a prompt."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._features = Recent()

    def _compute_multi_modal_inputs(self, output: Any, input_ids: torch.Tensor) -> dict[str, torch.Tensor]:
        data = output.multi_modal_data or {}
        if not data.get("images") or data.get("videos") or data.get("audios"):
            return super()._compute_multi_modal_inputs(output, input_ids)
        key = (images_key(data["images"]), repr(output.mm_processor_kwargs))
        if key not in self._features:
            self._features.keep(key, super()._compute_multi_modal_inputs(output, input_ids))
        # verl takes entries out of the dict that it gets; `mm_token_type_ids` it recomputes from the tokens.
        return dict(self._features[key])


class SeededAgentLoopManager(AgentLoopManagerTQ):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(_SeededWorker)


class CachedAgentLoopManager(AgentLoopManagerTQ):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.agent_loop_workers_class = ray.remote(_CachedWorker)
