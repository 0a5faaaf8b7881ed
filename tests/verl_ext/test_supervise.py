import fcntl
import io
import os
import signal
import subprocess
import sys
import time

import psutil
import pytest

from verl_ext import supervise as module
from verl_ext.supervise import IN_USE, MARK, TIMED_OUT, supervise

# A parent and a daemon of its own session, as Ray's are, which outlives it.
DAEMON = (
    "import subprocess, sys, time\n"
    "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True)\n"
    "print('daemon', child.pid, flush=True)\n"
)


@pytest.fixture(autouse=True)
def keep_signal_handlers():
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)]
    yield
    for number, handler in zip((signal.SIGINT, signal.SIGTERM), before, strict=True):
        signal.signal(number, handler)


def run(tmp_path, code, *, minutes=1.0):
    return supervise([sys.executable, "-c", code], run=tmp_path, steps=3, minutes=minutes)


def daemon_of(tmp_path):
    log = (tmp_path / "train.log").read_text()
    return int(log.split("daemon ")[1].split()[0])


def test_success_ends_daemons_too(tmp_path):
    assert run(tmp_path, DAEMON) == 0
    assert not psutil.pid_exists(daemon_of(tmp_path))


def test_time_limit_ends_everything(tmp_path):
    start = time.monotonic()
    assert run(tmp_path, DAEMON + "time.sleep(60)", minutes=0.03) == TIMED_OUT
    assert time.monotonic() - start < 20
    assert not psutil.pid_exists(daemon_of(tmp_path))


def test_a_folder_in_use_is_left_alone(tmp_path, capsys):
    with (tmp_path / "supervise.lock").open("w") as other:
        fcntl.flock(other, fcntl.LOCK_EX)
        assert run(tmp_path, "print('trained')") == IN_USE
    assert f"another process is training into {tmp_path}" in capsys.readouterr().err
    assert not (tmp_path / "train.log").exists()
    assert run(tmp_path, "print('trained')") == 0


def test_what_outlives_its_supervisor_does_not_keep_the_folder(tmp_path):
    line = [sys.executable, "-m", "verl_ext.supervise", "--run", str(tmp_path), "--steps", "3", "--minutes", "1", "--"]
    supervisor = subprocess.Popen([*line, sys.executable, "-c", DAEMON + "time.sleep(60)"])
    log, deadline = tmp_path / "train.log", time.monotonic() + 30
    while "daemon" not in (log.read_text() if log.exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    left = psutil.Process(supervisor.pid).children(recursive=True)
    supervisor.kill()
    supervisor.wait()
    try:
        assert len(left) == 2 and all(process.is_running() for process in left)
        assert run(tmp_path, "print('trained')") == 0
    finally:
        for process in left:
            process.kill()


def test_failure_shows_the_end_of_the_log(tmp_path, capsys):
    assert run(tmp_path, "raise SystemExit('no such model')") == 1
    assert "no such model" in capsys.readouterr().err


@pytest.mark.parametrize("before", [None, {"step": 7}])
def test_the_rate_shown_is_that_of_training_without_the_launch(before):
    bar = module.tqdm(total=20, initial=before["step"] if before else 0, desc=module.STARTING, file=io.StringIO())
    bar.start_t -= 300  # the launch
    module._show(bar, before, before)
    assert bar.desc == module.STARTING
    for step in (8, 9, 10):
        module._show(bar, {"step": step, "critic/score/mean": 0.5}, before)
        bar.start_t -= 10
    assert bar.desc == "training: "
    assert (bar.n, bar.format_dict["initial"]) == (10, 8)
    assert bar.format_dict["elapsed"] == pytest.approx(30, abs=5)


def test_interrupt_ends_everything(tmp_path):
    command = [
        sys.executable,
        "-m",
        "verl_ext.supervise",
        "--run",
        str(tmp_path),
        "--steps",
        "3",
        "--minutes",
        "1",
        "--",
    ]
    process = subprocess.Popen([*command, sys.executable, "-c", DAEMON + "time.sleep(60)"], stderr=subprocess.PIPE)
    deadline = time.monotonic() + 30
    while "daemon" not in ((tmp_path / "train.log").read_text() if (tmp_path / "train.log").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=40)
    assert process.returncode == module.INTERRUPTED
    assert b"goes on from the last checkpoint" in error
    assert not psutil.pid_exists(daemon_of(tmp_path))


def test_other_processes_are_left_alone(tmp_path):
    other = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(30)"], env={**os.environ, MARK: "another run"}
    )
    try:
        assert run(tmp_path, DAEMON) == 0
        assert other.poll() is None
    finally:
        other.kill()
