from __future__ import annotations

import asyncio
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from reward_fns.pool import CallCrashed, CallFailed, CallTimeout, Pool

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def pool() -> Iterator[Pool]:
    os.environ["PYTHONPATH"], before = str(HERE), os.environ.get("PYTHONPATH")
    pool = Pool(1)
    assert pool.call("pool_targets:double", 1, timeout=30) == 2
    yield pool
    pool.close()
    if before is None:
        del os.environ["PYTHONPATH"]
    else:
        os.environ["PYTHONPATH"] = before


@pytest.mark.parametrize("target", ["hang", "spin"])
def test_a_hanging_call_is_killed_at_its_deadline_and_the_next_one_works_from_a_thread(pool: Pool, target: str) -> None:
    args = (60,) if target == "hang" else ()

    def attempt() -> tuple[float, int]:
        start = time.monotonic()
        with pytest.raises(CallTimeout):
            pool.call(f"pool_targets:{target}", *args, timeout=0.3)
        return time.monotonic() - start, pool.call("pool_targets:double", 21, timeout=10)

    before = pool.counters["timeouts"]
    with ThreadPoolExecutor(1) as threads:
        seconds, answer = threads.submit(attempt).result()
    assert 0.25 < seconds < 3
    assert answer == 42
    assert pool.counters["timeouts"] == before + 1


def test_a_crash_is_tried_twice_counted_and_survived(pool: Pool) -> None:
    before = pool.counters["crashes"]
    with pytest.raises(CallCrashed):
        pool.call("pool_targets:die", timeout=10)
    assert pool.counters["crashes"] == before + 2
    assert pool.call("pool_targets:double", 3, timeout=10) == 6


def test_an_exception_carries_its_traceback(pool: Pool) -> None:
    before = pool.counters["failures"]
    with pytest.raises(CallFailed, match=r"KeyError: 'lost'"):
        pool.call("pool_targets:fail", timeout=10)
    assert pool.counters["failures"] == before + 1


def test_output_of_libraries_does_not_reach_the_replies(pool: Pool) -> None:
    assert pool.call("pool_targets:chatter", timeout=10) == "said"


def test_memory_is_bounded(pool: Pool) -> None:
    assert pool.call("pool_targets:grow", timeout=10) == "no memory"


def test_a_worker_that_was_killed_is_replaced(pool: Pool) -> None:
    process = pool._workers[0]._process
    assert process
    process.kill()
    process.wait()
    assert pool.call("pool_targets:double", 5, timeout=10) == 10


def test_many_threads_share_it(pool: Pool) -> None:
    with ThreadPoolExecutor(8) as threads:
        results = list(threads.map(lambda n: pool.call("pool_targets:double", n, timeout=10), range(100)))
    assert results == [2 * n for n in range(100)]


def test_from_an_asyncio_executor(pool: Pool) -> None:
    async def ask() -> list[int]:
        loop = asyncio.get_running_loop()
        calls = [
            loop.run_in_executor(None, lambda n=n: pool.call("pool_targets:double", n, timeout=10)) for n in range(9)
        ]
        return await asyncio.gather(*calls)

    assert asyncio.run(ask()) == [2 * n for n in range(9)]


def test_a_request_must_fit_the_pipe(pool: Pool) -> None:
    with pytest.raises(ValueError, match="bytes"):
        pool.call("pool_targets:double", "x" * 100_000, timeout=10)


def test_a_worker_that_cannot_import_says_so() -> None:
    broken = Pool(1, prepare="no_such_module_anywhere:prepare")
    with pytest.raises(RuntimeError, match="no_such_module_anywhere"):
        broken.call("pool_targets:double", 1, timeout=5)
    broken.close()


@pytest.mark.parametrize("end", ["exit", "kill"])
def test_nothing_is_left_behind_by_an_interpreter_that_ends(end: str) -> None:
    script = (
        "import os, sys, threading, time; from reward_fns.pool import Pool; pool = Pool(1);"
        "print(pool.call('pool_targets:process_id', timeout=30), pool._workers[0]._process.pid, flush=True);"
        "sys.argv[1] == 'exit' and sys.exit();"
        "threading.Thread(target=lambda: pool.call('pool_targets:spin', timeout=0.5), daemon=True).start();"
        "time.sleep(0.2); os.kill(os.getpid(), 9)"
    )
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(HERE), str(HERE.parents[1])])}
    command = [sys.executable, "-c", script, end]
    run = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, timeout=60)
    assert run.returncode == (0 if end == "exit" else -9)
    assert all(_gone(process) for process in map(int, run.stdout.split()))


def _gone(process: int) -> bool:
    until = time.monotonic() + 60  # a spinning child ends by CPU time, which a busy machine hands out slowly
    while time.monotonic() < until:
        status = Path(f"/proc/{process}/status")
        if not status.exists() or "State:\tZ" in status.read_text():
            return True
        time.sleep(0.05)
    return False


def test_no_signal_handlers_are_touched(pool: Pool) -> None:
    import signal

    before = {number: signal.getsignal(number) for number in (signal.SIGALRM, signal.SIGCHLD, signal.SIGTERM)}
    threading.Thread(target=pool.call, args=("pool_targets:double", 1), kwargs={"timeout": 10}).start()
    pool.call("pool_targets:double", 1, timeout=10)
    assert before == {number: signal.getsignal(number) for number in before}
