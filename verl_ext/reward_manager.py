"""verl's reward manager `verl_ext`: plug point `reward.reward_manager.{source: register, name: verl_ext}`.

verl's own managers pass decoded text only. This one adds what the length envelope needs: the number of response tokens,
of those before the answer, and whether the response was cut off at the limit.
"""

from __future__ import annotations

import asyncio
import bisect
import inspect
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from omegaconf import OmegaConf
from verl import DataProto
from verl.experimental.reward_loop.reward_manager.base import RewardManagerBase
from verl.experimental.reward_loop.reward_manager.registry import register

from reward_fns.extract import OPEN
from reward_fns.registry import labels, resolve_task
from reward_fns.score import compute_score
from reward_fns.symbolic import pool
from verl_ext import config as settings_of
from verl_ext.problem_type import problem_type
from verl_ext.reward_guard import Guard

EVENTS = ("timeouts", "crashes", "failures")
"""What the workers of symbolic verification count; a result carries them as `verifier_<event>`."""


def tokens_before(ids: Any, text: str, mark: str, decode: Callable[[Any], str]) -> int:
    """Tokens of `ids` that begin before the last `mark` in `text`, their decoded text; all of them without a mark.

    Exact, as ids are decoded, never encoded anew: the least number of tokens whose text reaches the mark, found by
    halving. A token that runs from the text before into the mark (as `><` may) counts. Only where the last character
    before the mark is itself spread over several tokens, up to three of these can go uncounted.
    """
    start = text.rfind(mark)
    if start < 0:
        return len(ids)
    return bisect.bisect_left(range(len(ids)), start, key=lambda count: len(decode(ids[:count])))


@register("verl_ext")
class VerlExtRewardManager(RewardManagerBase):
    """Scores one response with `reward_fns.compute_score` under the settings of its task.

    A custom reward function in verl's config takes the place of `compute_score` and gets the same `extra_info`: any
    that verl's own managers take, asynchronous ones too; what its result lacks for our metrics is filled in.
    A failure of a verifier raises with the row's name. verl logs it and leaves the response out; the trainer counts it
    (`training/missing_responses`, `val/failed_rows`).
    """

    def __init__(
        self,
        config: Any,
        tokenizer: Any,
        compute_score: Any = None,
        reward_router_address: str | None = None,
        reward_model_tokenizer: Any = None,
    ) -> None:
        super().__init__(config, tokenizer, compute_score)
        block = config.get("verl_ext")
        self.settings = settings_of.load(OmegaConf.to_container(block, resolve=True) if block is not None else {})
        self.response_limit = int(config.actor_rollout_ref.rollout.response_length)
        self._counting, self._counted = threading.Lock(), Counter(pool().counters)
        self.guard = Guard(self.settings.reward_timeout)
        self.custom = compute_score if (config.reward.get("custom_reward_function") or {}).get("path") else None
        self.model = {"reward_router_address": reward_router_address, "reward_model_tokenizer": reward_model_tokenizer}

    async def run_single(self, data: DataProto) -> dict[str, Any]:
        item = data[-1:][0]  # the reward of a trajectory is that of its last output
        response_ids = item.batch["responses"]
        # verl's mask is that of the longest output, where a trajectory has several.
        mask = item.batch["attention_mask"][-response_ids.shape[-1] :]
        tokens = int(item.non_tensor_batch.get("response_len", mask.sum()))
        extra_info = dict(item.non_tensor_batch.get("extra_info") or {})
        extra_info.update(response_tokens=tokens, truncated=tokens >= self.response_limit)
        row, response_ids = item.non_tensor_batch, response_ids[:tokens]
        judge = self._score if self.custom is None else partial(self._custom_score, asyncio.get_running_loop())
        score = partial(judge, row, response_ids, extra_info)
        result = await self.guard.run(score, _name(row, extra_info))
        return {"reward_score": result["score"], "reward_extra_info": result | self._events()}

    def _events(self) -> dict[str, float]:
        """Events since the last result of this process: sums are exact, single rows may carry those of another."""
        with self._counting:
            new = Counter(pool().counters)
            new.subtract(self._counted)
            self._counted.update(new)
        return {f"verifier_{event}": float(new[event]) for event in EVENTS}

    def _decode(self, ids: Any) -> str:
        return self.tokenizer.decode(ids, skip_special_tokens=True)

    def _score(self, row: dict[str, Any], response_ids: Any, extra_info: dict[str, Any]) -> dict[str, Any]:
        text = self._decode(response_ids)
        data_source, truth = row["data_source"], row["reward_model"]["ground_truth"]
        known = {"row": _name(row, extra_info), "length_tokens": float(len(response_ids))}
        task = resolve_task(data_source, extra_info)
        settings = self.settings.for_task(*labels(data_source, extra_info)).reward
        if settings.length_scope == "thinking":
            extra_info["thinking_tokens"] = tokens_before(response_ids, text, OPEN, self._decode)
            known["length_tokens"] = float(extra_info["thinking_tokens"])
        result = compute_score(data_source, text, truth, extra_info, settings=settings)
        return result | known | {"problem_type": problem_type(task, extra_info)}

    def _custom_score(
        self, loop: asyncio.AbstractEventLoop, row: dict[str, Any], response_ids: Any, extra_info: dict[str, Any]
    ) -> dict[str, Any]:
        own = self.custom(
            data_source=row["data_source"],
            solution_str=self._decode(response_ids),
            ground_truth=(row.get("reward_model") or {}).get("ground_truth"),
            extra_info=extra_info,
            **(self.model if self.model["reward_router_address"] else {}),
        )
        if inspect.iscoroutine(own):  # in the worker's loop, to which its clients belong; this is a thread of its own
            own = asyncio.run_coroutine_threadsafe(own, loop).result()
        result = dict(own) if isinstance(own, Mapping) else {"score": float(own)}
        accuracy = float(result.get("accuracy", result.get("acc", result["score"])))
        task, category = labels(row["data_source"], extra_info)
        filled = {"task": task, "category": category, "problem_type": task}
        filled |= {"accuracy": accuracy, "acc": accuracy, "format": 0.0, "structure": 0.0, "length": 0.0}
        filled |= {"response_tokens": float(len(response_ids)), "length_tokens": float(len(response_ids))}
        return filled | {"truncated": extra_info["truncated"], "row": _name(row, extra_info)} | result


def _name(row: dict[str, Any], extra_info: dict[str, Any]) -> str:
    return f"{row['data_source']}/{extra_info.get('index')}"
