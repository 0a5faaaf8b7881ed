"""Notices that a process the training needs has died, where verl would wait for it for ever or train on what is left.

verl 0.9.1 waits without a limit for responses of an agent loop that is gone, and for vLLM's engine to fetch new
weights. A reward worker or a rollout server that dies in the middle of a step leaves a smaller batch to train on.
"""

from __future__ import annotations

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, wait
from typing import Any

import ray
from ray.exceptions import ActorDiedError

logger = logging.getLogger(__name__)

Probe = Callable[[], Future]
"""Asks a process what is wrong with it: "" where nothing is, ActorDiedError where it is gone."""


class Watch:
    """Asks every `interval` seconds; while it is open, a process that died ends this one `grace` seconds later.

    The grace lets the training end by itself, with its own error; one that waits for the dead cannot.
    """

    def __init__(
        self,
        probes: Mapping[str, Probe],
        *,
        interval: float = 2.0,
        grace: float = 15.0,
        give_up: Callable[[int], Any] = os._exit,
    ) -> None:
        self.dead: dict[str, str] = {}
        self._probes = dict(probes)
        self._asked: dict[str, Future] = {}
        self._interval, self._grace, self._give_up = interval, grace, give_up
        self._closed = threading.Event()
        self._lock = threading.Lock()

    def __enter__(self) -> Watch:
        threading.Thread(target=self._run, name="verl_ext-liveness", daemon=True).start()
        return self

    def __exit__(self, *_error: object) -> None:
        # With a death verl's own clean-up may wait for ever too, so the grace goes on.
        if not self.dead:
            self._closed.set()

    def look(self, timeout: float = 0.0) -> None:
        """Ask all that have answered before, and note who is dead; a busy process is asked once and not judged."""
        with self._lock:
            for name in self._probes.keys() - self._asked.keys() - self.dead.keys():
                self._asked[name] = self._probes[name]()
            wait(self._asked.values(), timeout=timeout)
            for name, answer in list(self._asked.items()):
                if answer.done():
                    del self._asked[name]
                    if reason := _reason(answer):
                        self.dead[name] = reason

    def check(self, timeout: float = 1.0) -> None:
        """RuntimeError if a process is dead."""
        self.look(timeout)
        if self.dead:
            raise RuntimeError(self.message())

    def message(self) -> str:
        listed = "; ".join(f"{name}: {reason}" for name, reason in self.dead.items())
        return f"verl_ext: a process that the training needs is dead, so it stops here. {listed}"

    def _run(self) -> None:
        while not self._closed.wait(self._interval):
            self.look()
            if self.dead:
                logger.error(self.message())
                if not self._closed.wait(self._grace):
                    logger.error("verl_ext: the training still waits for it after %g s and is ended", self._grace)
                    self._give_up(1)
                return


def _reason(answer: Future) -> str:
    error = answer.exception()
    if isinstance(error, ActorDiedError):
        told = re.sub(r"(class_name|actor_id|namespace|name|ip): \S+ ", "", " ".join(str(error).split()) + " ")
        return told.split(" Some common causes")[0].strip()[:600]
    # Any other failure, as of a network that comes back, says nothing about the process.
    return "" if error else str(answer.result())


def trouble(actor: Any) -> str:
    """Runs inside the actor."""
    engine = getattr(actor, "engine", None)
    return "vLLM's engine core has died (see the log of EngineCore)" if getattr(engine, "errored", False) else ""


def probes_of(trainer: Any, agent_loop_manager: Any) -> dict[str, Probe]:
    """Of every actor that verl's trainer started."""
    return {name: lambda actor=actor: actor.__ray_call__.remote(trouble).future() for name, actor in
            _actors(trainer, agent_loop_manager)}  # fmt: skip


def _actors(trainer: Any, agent_loop_manager: Any) -> Iterator[tuple[str, Any]]:
    groups = {"trainer worker": trainer.actor_rollout_wg.workers}
    groups["reward worker"] = trainer.reward_loop_manager.reward_loop_workers
    groups["agent-loop worker"] = agent_loop_manager.agent_loop_workers
    replicas = [one for manager in trainer._rollout_server_managers() for one in manager.get_replicas()]
    groups["rollout server"] = [server for replica in replicas for server in replica.servers]
    groups["TransferQueue"] = [ray.get_actor("TransferQueueController", namespace="transfer_queue")]
    for name, actors in groups.items():
        for number, actor in enumerate(actors):
            yield f"{name} {number}", actor
