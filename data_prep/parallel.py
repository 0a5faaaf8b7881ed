"""Rows made by several processes and handed over in order, with bounded memory."""

from __future__ import annotations

import multiprocessing
import traceback
from collections.abc import Generator, Mapping
from multiprocessing.connection import Connection
from typing import Any, Protocol

CHUNK = 32


class RowSource(Protocol):
    """Makes row `index` of a split from nothing but its own (picklable) state."""

    def row(self, split: str, index: int) -> dict[str, Any]: ...


def make_rows(
    source: RowSource, counts: Mapping[str, int], *, workers: int = 1
) -> Generator[tuple[str, dict[str, Any]], None, None]:
    """(split, row) for rows 0 to count - 1 of every split, in order; the same for any number of workers.

    Worker w makes the chunks w, w + workers, ... and waits in its pipe until they are taken. A worker whose parent is
    gone finds the pipe closed and ends. Errors of a worker are raised here as RuntimeError with its traceback.
    """
    chunks = [
        (split, start, min(start + CHUNK, count)) for split, count in counts.items() for start in range(0, count, CHUNK)
    ]
    workers = min(workers, len(chunks))
    if workers <= 1:
        for split, start, stop in chunks:
            for index in range(start, stop):
                yield split, source.row(split, index)
        return
    context = multiprocessing.get_context("spawn")
    pipes, processes = [], []
    try:
        for worker in range(workers):
            ours, theirs = context.Pipe(duplex=False)
            process = context.Process(target=_work, args=(theirs, source, chunks[worker::workers]), daemon=True)
            process.start()
            theirs.close()
            pipes.append(ours)
            processes.append(process)
        for number, (split, _, _) in enumerate(chunks):
            for row in _take(pipes[number % workers], processes[number % workers]):
                yield split, row
    finally:
        for pipe in pipes:
            pipe.close()
        for process in processes:
            process.terminate()
            process.join()


def _take(pipe: Connection, process: Any) -> list[dict[str, Any]]:
    try:
        rows = pipe.recv()
    except EOFError:
        process.join()
        raise RuntimeError(f"a worker process ended early (exit code {process.exitcode}); out of memory?") from None
    if isinstance(rows, str):
        raise RuntimeError(f"a worker process failed:\n{rows}")
    return rows


def _work(pipe: Connection, source: RowSource, chunks: list[tuple[str, int, int]]) -> None:
    try:
        for split, start, stop in chunks:
            pipe.send([source.row(split, index) for index in range(start, stop)])
    except (KeyboardInterrupt, BrokenPipeError):
        return
    except Exception:
        pipe.send(traceback.format_exc())
