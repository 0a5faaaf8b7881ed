"""A reward that hangs fails alone, or takes its process with it and says where; it never holds the others up."""

import asyncio
import subprocess
import sys
import threading
import time

import pytest

from verl_ext import reward_guard
from verl_ext.reward_guard import Guard


def together(guard, *judges):
    async def all_of():
        return await asyncio.gather(
            *(guard.run(judge, f"a/{n}") for n, judge in enumerate(judges)), return_exceptions=True
        )

    return asyncio.run(all_of())


def test_results_and_errors_pass_through():
    def wrong():
        raise KeyError("ground_truth")

    def slow_server():
        raise TimeoutError("its own")

    one, two, three = together(Guard(5), lambda: 1, wrong, slow_server)
    assert one == 1 and isinstance(two, KeyError) and str(three) == "its own"


def test_one_that_hangs_fails_by_name_and_the_others_are_judged():
    release = threading.Event()
    start = time.monotonic()
    hung, *others = together(Guard(0.2), release.wait, *[lambda: 1] * 100)
    release.set()
    assert time.monotonic() - start < 2
    assert isinstance(hung, TimeoutError) and "row a/0 took over 0.2 s" in str(hung)
    assert others == [1] * 100


def test_the_clock_starts_when_the_reward_does():
    """More rewards than threads wait for their turn: that is no hang."""
    assert together(Guard(0.5), *[lambda: time.sleep(0.05)] * 200) == [None] * 200


def test_too_many_that_hang_are_an_error_each(monkeypatch):
    monkeypatch.setattr(reward_guard, "MOST_LEFT_BEHIND", 2)
    release = threading.Event()
    guard = Guard(0.1)
    together(guard, release.wait, release.wait)
    (refused,) = together(guard, lambda: 1)
    release.set()
    assert "2 rewards hang" in str(refused)


def test_those_that_end_late_do_not_count_for_ever(monkeypatch):
    monkeypatch.setattr(reward_guard, "MOST_LEFT_BEHIND", 2)
    guard = Guard(0.1)

    async def slow_then_quick():
        late = [guard.run(lambda: time.sleep(0.3), f"a/{n}") for n in range(2)]
        assert all(isinstance(error, TimeoutError) for error in await asyncio.gather(*late, return_exceptions=True))
        assert guard.left_behind == 2
        await asyncio.sleep(0.5)
        return guard.left_behind, await guard.run(lambda: 1, "a/2")

    assert asyncio.run(slow_then_quick()) == (0, 1)


HELD = """
import asyncio, re
from verl_ext.reward_guard import Guard

def backtracks():
    re.match("(a+)+$", "a" * 64 + "b")

asyncio.run(Guard(1).run(backtracks, "a/1"))
"""


def test_one_that_holds_the_interpreter_ends_the_process_with_its_stack():
    start = time.monotonic()
    ended = subprocess.run([sys.executable, "-c", HELD], capture_output=True, text=True, timeout=60)
    assert ended.returncode != 0 and time.monotonic() - start < 30
    assert "backtracks" in ended.stderr


def test_an_idle_process_is_left_alone():
    async def judge_then_block():
        await Guard(0.3).run(lambda: 1, "a/1")
        time.sleep(0.8)

    asyncio.run(judge_then_block())


@pytest.mark.parametrize("rewards", [1, 3])
def test_a_process_at_work_beats(rewards):
    assert together(Guard(1.5), *[lambda: time.sleep(1.2)] * rewards) == [None] * rewards
