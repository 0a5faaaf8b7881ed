"""Rewards are computed under a time limit: a verifier that hangs costs its response, never the run.

Python cannot end a thread. One that waits (for a server, a lock, a sleep) is left behind and its response fails. One
that computes without ever giving up the interpreter (a regular expression that backtracks) stops the whole process:
the process is then ended from C, with the stack of every thread, and `liveness` stops the run.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import os
import threading
from collections.abc import Callable
from typing import Any

MOST_LEFT_BEHIND = 64
STDERR = 2


class Guard:
    """`limit`: seconds for one reward, from the moment it starts."""

    def __init__(self, limit: float) -> None:
        self.limit = limit
        self.left_behind = 0
        self._slots = asyncio.Semaphore(min(32, (os.cpu_count() or 1) + 4))
        self._running = 0

    async def run(self, judge: Callable[[], Any], row: str) -> Any:
        """What `judge` returns or raises, in a thread of its own; TimeoutError naming the row."""
        async with self._slots:
            if self.left_behind >= MOST_LEFT_BEHIND:
                raise RuntimeError(f"{self.left_behind} rewards hang in this process: mend the verifier, then resume")
            with self._beating():
                return await self._judged(judge, row)

    async def _judged(self, judge: Callable[[], Any], row: str) -> Any:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        ended = late = False

        def give(setter: Callable[[Any], None], value: Any) -> None:
            nonlocal ended
            ended = True
            if late:
                self.left_behind -= 1
            elif not answer.done():
                setter(value)

        def work() -> None:
            try:
                result = judge()
            except BaseException as error:  # the caller gets it
                outcome = (answer.set_exception, error)
            else:
                outcome = (answer.set_result, result)
            with contextlib.suppress(RuntimeError):  # the loop may be closed by then
                loop.call_soon_threadsafe(give, *outcome)

        # A daemon thread and no executor: those wait for their threads when the process ends.
        threading.Thread(target=work, name=f"reward of {row}", daemon=True).start()
        try:
            return await asyncio.wait_for(answer, self.limit)
        except TimeoutError:
            if answer.done() and not answer.cancelled():
                raise  # the verifier's own
            if not ended:
                late = True
                self.left_behind += 1
            raise TimeoutError(
                f"the reward of row {row} took over {self.limit:g} s and its response is left out; mend the verifier, "
                "or raise verl_ext.reward_timeout"
            ) from None

    @contextlib.contextmanager
    def _beating(self) -> Any:
        """While rewards run, an event loop that does not run for `limit` seconds ends the process."""
        self._running += 1
        if self._running == 1:
            self._arm()  # the first reward may take the interpreter before the heart's first beat
            self._heart = asyncio.ensure_future(self._beat())
        try:
            yield
        finally:
            self._running -= 1
            if not self._running:
                self._heart.cancel()
                faulthandler.cancel_dump_traceback_later()

    async def _beat(self) -> None:
        while True:
            await asyncio.sleep(min(1.0, self.limit / 4))
            self._arm()

    def _arm(self) -> None:
        faulthandler.dump_traceback_later(self.limit, exit=True, file=STDERR)
