"""Worker processes for calls that may hang or crash, each call under a hard deadline on the parent's clock.

A worker is a small parent that has imported what the calls need and forks one serving child at a time. A call that
overruns its deadline gets its child killed; the fork of the next child costs milliseconds where a fresh interpreter
would cost the imports again. There are no signal handlers, so calls may come from any thread, from asyncio executors
and from Ray actors. Idle workers end when their standard input closes, also when this process dies.
"""

from __future__ import annotations

import contextlib
import json
import os
import select
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path
from queue import LifoQueue
from typing import Any

START_SECONDS = 120.0
MAX_REQUEST_BYTES = 48_000
"""Below the capacity of a pipe, so that sending never blocks on a worker that does not read."""


class CallTimeout(Exception):
    """The call overran its deadline; its child was killed."""


class CallCrashed(Exception):
    """The serving child died during the call (out of memory, a fault in native code)."""


class CallFailed(RuntimeError):
    """The called function raised; the message carries its traceback."""


class Pool:
    """`size` workers that serve `call`; started on first use, safe from several threads."""

    def __init__(self, size: int = 2, *, prepare: str = "") -> None:
        """`prepare` ("package.module:function") runs once in a worker, before it forks: imports, caches."""
        self.counters: Counter[str] = Counter()
        """calls, timeouts, crashes, failures."""
        self._lock = threading.Lock()
        self._owner = os.getpid()
        self._idle: LifoQueue[_Worker] = LifoQueue()
        self._workers = [_Worker(prepare) for _ in range(size)]
        for worker in self._workers:
            self._idle.put(worker)

    def call(self, target: str, *args: Any, timeout: float) -> Any:
        """The result of `target` ("package.module:function") for JSON arguments, in a worker.

        The deadline covers the call itself, not the wait for a free worker. Raises CallTimeout, CallCrashed (after one
        retry), CallFailed, and RuntimeError if no worker can be started.
        """
        worker = self._idle.get()
        self._count("calls")
        try:
            return self._try_twice(worker, target, args, timeout)
        except CallTimeout:
            self._count("timeouts")
            raise
        except CallFailed:
            self._count("failures")
            raise
        finally:
            self._idle.put(worker)

    def _try_twice(self, worker: _Worker, target: str, args: tuple[Any, ...], timeout: float) -> Any:
        """A first crash may be the machine's fault, a second one is the call's."""
        try:
            return worker.call(target, args, timeout)
        except CallCrashed:
            self._count("crashes")
        try:
            return worker.call(target, args, timeout)
        except CallCrashed:
            self._count("crashes")
            raise

    def _count(self, event: str) -> None:
        with self._lock:
            self.counters[event] += 1

    def close(self) -> None:
        """End every worker; a later call starts them again. Does nothing in a process forked from the owner."""
        if os.getpid() != self._owner:
            return
        for worker in self._workers:
            worker.stop()


class _Worker:
    def __init__(self, prepare: str) -> None:
        self._prepare = prepare
        self._process: subprocess.Popen[bytes] | None = None
        self._child = 0
        self._buffer = b""
        self._number = 0

    def call(self, target: str, args: tuple[Any, ...], timeout: float) -> Any:
        if self._process is None or self._process.poll() is not None:
            self._start()
        elif not self._child:
            # The successor of a killed child greets now: its caller should not have to wait past the deadline.
            self._greet()
        self._number += 1
        # CLOCK_MONOTONIC is the same for all processes of a machine.
        deadline = time.monotonic() + timeout
        # Callers bound texts in characters: at most four bytes each, where an escape takes twelve.
        text = json.dumps([self._number, target, args, deadline], ensure_ascii=False)
        request = text.encode("utf-8", "surrogatepass") + b"\n"
        if len(request) > MAX_REQUEST_BYTES:
            raise ValueError(f"a call of {len(request)} bytes is over {MAX_REQUEST_BYTES}")
        assert self._process and self._process.stdin
        try:
            self._process.stdin.write(request)
            self._process.stdin.flush()
        except BrokenPipeError:
            self.stop()
            raise CallCrashed from None
        while True:
            reply = self._read(deadline)
            if reply is None:
                self._kill_child()
                raise CallTimeout(f"over {timeout} s")
            if "child" in reply:
                self._child = reply["child"]
                raise CallCrashed
            if reply["number"] == self._number:
                if "error" in reply:
                    raise CallFailed(reply["error"])
                return reply["result"]

    def stop(self) -> None:
        process, self._process, self._buffer = self._process, None, b""
        if process is None:
            return
        process.kill()
        self._kill_child()
        process.wait()
        for stream in (process.stdin, process.stdout):
            if stream:
                with contextlib.suppress(BrokenPipeError):
                    stream.close()

    def _start(self) -> None:
        self.stop()
        root = str(Path(__file__).resolve().parent.parent)
        path = os.pathsep.join([root, *filter(None, [os.environ.get("PYTHONPATH")])])
        self._process = subprocess.Popen(
            [sys.executable, "-m", "reward_fns.pool_worker", *filter(None, [self._prepare])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": path, "OMP_NUM_THREADS": "1"},
        )
        self._greet()

    def _kill_child(self) -> None:
        if self._child:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self._child, signal.SIGKILL)
            self._child = 0

    def _greet(self) -> None:
        """Wait for the next child to report its process id; replies of the killed one are dropped."""
        deadline = time.monotonic() + START_SECONDS
        while True:
            reply = self._read(deadline)
            if reply is None or "failed" in reply:
                self.stop()
                raise RuntimeError(f"a verifier worker did not start: {(reply or {}).get('failed', 'no sign of life')}")
            if "child" in reply:
                self._child = reply["child"]
                return

    def _read(self, deadline: float) -> dict[str, Any] | None:
        """The next line of the worker; None at the deadline. A worker that ended counts as a crash of the call."""
        assert self._process and self._process.stdout
        stream = self._process.stdout.fileno()
        while b"\n" not in self._buffer:
            left = deadline - time.monotonic()
            poller = select.poll()
            poller.register(stream, select.POLLIN)
            if left <= 0 or not poller.poll(left * 1000):
                return None
            chunk = os.read(stream, 65536)
            if not chunk:
                self.stop()
                raise CallCrashed
            self._buffer += chunk
        line, self._buffer = self._buffer.split(b"\n", 1)
        reply: dict[str, Any] = json.loads(line)
        return reply
