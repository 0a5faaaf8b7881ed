"""The other end of `pool.Pool`: imports once, then forks one serving child after another.

Started as `python -m reward_fns.pool_worker [MODULE:FUNCTION]`. Requests are JSON lines [number, target, args,
deadline] on standard input, replies JSON lines {"number", "result" or "error"} on standard output; a new child says
{"child": process id}.
"""

from __future__ import annotations

import importlib
import json
import math
import os
import resource
import sys
import time
import traceback
from collections.abc import Iterator
from typing import Any

MEMORY_BYTES = 2 << 30
"""Address space of a serving child: a symbolic blow-up ends in MemoryError, not in a machine that swaps."""


def main() -> None:
    # Libraries may print; only replies may reach the parent.
    replies = os.dup(1)
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    try:
        for target in sys.argv[1:]:
            _resolve(target)()
    except BaseException:
        _send(replies, {"failed": traceback.format_exc()})
        raise
    while True:
        child = os.fork()
        if child == 0:
            try:
                _serve(replies)
            finally:
                os._exit(0)
        # A child that ends by itself has seen the end of the requests; one that was killed has a successor.
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0:
            return


def _serve(replies: int) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, resource.RLIM_INFINITY))
    _send(replies, {"child": os.getpid()})
    for line in _lines():
        try:
            number, target, args, deadline = json.loads(line)
        except ValueError:
            continue  # the rest of a request whose reader was killed
        left = deadline - time.monotonic()
        if left <= 0:
            continue  # left over by a child that was killed before it read this
        _limit_cpu(left)
        _send(replies, {"number": number, **_run(target, args)})


def _limit_cpu(seconds: float) -> None:
    """Have the kernel end this process should its parent die while it computes."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = math.ceil(used.ru_utime + used.ru_stime + seconds) + 1
    resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.RLIM_INFINITY))


def _run(target: str, args: list[Any]) -> dict[str, Any]:
    try:
        return {"result": _resolve(target)(*args)}
    except Exception:
        return {"error": traceback.format_exc()}


def _resolve(target: str) -> Any:
    module, _, name = target.partition(":")
    return getattr(importlib.import_module(module), name)


def _lines() -> Iterator[bytes]:
    buffer = b""
    while chunk := os.read(0, 65536):
        *whole, buffer = (buffer + chunk).split(b"\n")
        yield from whole


def _send(replies: int, reply: dict[str, Any]) -> None:
    data = json.dumps(reply).encode() + b"\n"
    while data:
        data = data[os.write(replies, data) :]


if __name__ == "__main__":
    main()
