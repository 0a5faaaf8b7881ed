"""Work done by several processes and handed over in order, with bounded memory."""

from __future__ import annotations

import multiprocessing
import queue
import threading
import traceback
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from multiprocessing.connection import Connection
from typing import Any, Protocol, TypeVar

CHUNK = 32
AHEAD = 2
"""Items that wait in a worker while it is busy with another."""

Item = TypeVar("Item")
Result = TypeVar("Result")


class RowSource(Protocol):
    """Makes row `index` of a split from nothing but its own (picklable) state."""

    def row(self, split: str, index: int) -> dict[str, Any]: ...


def make_rows(
    source: RowSource, counts: Mapping[str, int], *, workers: int = 1
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """(split, row) for rows 0 to count - 1 of every split, in order; the same for any number of workers."""
    chunks = [
        (split, start, min(start + CHUNK, count)) for split, count in counts.items() for start in range(0, count, CHUNK)
    ]
    if min(workers, len(chunks)) <= 1:
        for split, start, stop in chunks:
            for index in range(start, stop):
                yield split, source.row(split, index)
        return
    made = map_in_order(_RowMaker(source), chunks, workers=min(workers, len(chunks)))
    try:
        for (split, _, _), rows in zip(chunks, made, strict=True):
            for row in rows:
                yield split, row
    finally:
        made.close()


class _RowMaker:
    def __init__(self, source: RowSource) -> None:
        self.source = source

    def __call__(self, chunk: tuple[str, int, int]) -> list[dict[str, Any]]:
        split, start, stop = chunk
        return [self.source.row(split, index) for index in range(start, stop)]


def map_in_order(
    work: Callable[[Item], Result], items: Iterable[Item], *, workers: int = 1
) -> Generator[Result, None, None]:
    """work(item) for every item, in order; items are drawn as they are needed, a few ahead of the results.

    With more than one worker, `work` (once), items and results are pickled. Errors of a worker are raised here: an
    OSError (a full disk) as it is, others as RuntimeError with the traceback. A worker whose parent is gone finds its
    pipe closed and ends.
    """
    if workers <= 1:
        yield from map(work, items)
        return
    context = multiprocessing.get_context("spawn")
    pool: list[tuple[Connection, Any]] = []
    waiting: deque[tuple[Connection, Any]] = deque()
    source: Iterator[Item] = iter(items)
    try:
        for number, item in enumerate(source):
            if len(pool) < workers:
                ours, theirs = context.Pipe()
                process = context.Process(target=_serve, args=(theirs, work), daemon=True)
                process.start()
                theirs.close()
                pool.append((ours, process))
            if len(waiting) >= workers * AHEAD:
                yield _take(*waiting.popleft())
            worker = pool[number % workers]
            _send(*worker, item)
            waiting.append(worker)
        while waiting:
            yield _take(*waiting.popleft())
    finally:
        for pipe, _ in pool:
            pipe.close()
        for _, process in pool:
            process.terminate()
            process.join()


def _send(pipe: Connection, process: Any, item: Any) -> None:
    try:
        pipe.send(item)
    except BrokenPipeError:
        _take(pipe, process)
        raise


def _take(pipe: Connection, process: Any) -> Any:
    try:
        failed, result = pipe.recv()
    except (EOFError, ConnectionResetError):
        process.join()
        raise RuntimeError(f"a worker process ended early (exit code {process.exitcode}); out of memory?") from None
    if isinstance(result, OSError):
        raise result
    if failed:
        raise RuntimeError(f"a worker process failed:\n{result}")
    return result


def _serve(pipe: Connection, work: Callable[[Any], Any]) -> None:
    """A thread takes the items off the pipe, so that neither side waits for the other to read."""
    items: queue.SimpleQueue[Any] = queue.SimpleQueue()

    def receive() -> None:
        try:
            while True:
                items.put((True, pipe.recv()))
        except (EOFError, OSError):
            items.put((False, None))

    threading.Thread(target=receive, daemon=True).start()
    try:
        while True:
            more, item = items.get()
            if not more:
                return
            pipe.send((False, work(item)))
    except (KeyboardInterrupt, BrokenPipeError, ConnectionResetError):
        return
    except OSError as error:
        pipe.send((True, error))
    except Exception:
        pipe.send((True, traceback.format_exc()))
