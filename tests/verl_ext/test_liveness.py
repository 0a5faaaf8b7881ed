"""A dead process is named and ends the run; a busy or unreachable one does not."""

import threading
import time
from concurrent.futures import Future
from types import SimpleNamespace

import pytest
from ray.exceptions import ActorDiedError, ActorUnavailableError

from verl_ext.liveness import Watch, trouble


def answered(value="", error=None):
    future = Future()
    future.set_exception(error) if error else future.set_result(value)
    return future


@pytest.mark.parametrize(
    "answer, dead",
    [
        (answered(), False),
        (Future(), False),
        (answered("vLLM's engine core has died"), True),
        (answered(error=ActorDiedError()), True),
        (answered(error=ActorUnavailableError("no route", None)), False),
        (answered(error=AttributeError("engine")), False),
    ],
    ids=["well", "busy", "engine dead", "dead", "unreachable", "odd"],
)
def test_only_the_dead_are_dead(answer, dead):
    watch = Watch({"reward worker 0": lambda: answer, "well": lambda: answered()})
    watch.look()
    assert list(watch.dead) == (["reward worker 0"] if dead else [])
    if dead:
        with pytest.raises(RuntimeError, match="reward worker 0: "):
            watch.check(timeout=0)
    else:
        watch.check(timeout=0)


def test_a_busy_process_is_asked_once():
    asked = []

    def ask():
        asked.append(Future())
        return asked[-1]

    watch = Watch({"server": ask})
    for _ in range(3):
        watch.look()
    assert len(asked) == 1
    asked[0].set_exception(ActorDiedError())
    watch.look()
    assert "server" in watch.dead


def test_a_run_that_waits_for_the_dead_is_ended(caplog):
    ended = threading.Event()
    codes = []
    gone = {"agent-loop worker 0": lambda: answered(error=ActorDiedError())}
    with Watch(gone, interval=0.01, grace=0.05, give_up=lambda code: (codes.append(code), ended.set())):
        assert ended.wait(5)
    assert codes == [1]
    assert "agent-loop worker 0" in caplog.text


@pytest.mark.parametrize("dead, ended", [(False, []), (True, [1])])
def test_after_the_training_only_a_death_counts_on(dead, ended):
    """With a death, verl's clean-up may hang."""
    codes = []
    probe = answered(error=ActorDiedError()) if dead else answered()
    with Watch({"a": lambda: probe}, interval=0.01, grace=0.1, give_up=codes.append):
        time.sleep(0.05)
    time.sleep(0.3)
    assert codes == ended


def test_an_engine_that_died_is_seen_through_its_server():
    assert trouble(SimpleNamespace(engine=SimpleNamespace(errored=True))).startswith("vLLM")
    assert trouble(SimpleNamespace(engine=SimpleNamespace(errored=False))) == trouble(object()) == ""
