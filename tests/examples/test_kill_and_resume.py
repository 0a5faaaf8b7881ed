"""The comparison and the kills of `examples/kill_and_resume.py`, on files and processes that cost nothing."""

import json
import math
import sys

import psutil
import pytest

from examples.kill_and_resume import compare, difference, judge, until_killed

STEP = {"step": 1, "actor/loss": 0.5, "timing_s/step": 3.0, "actor/perf/memory": 9.0, "task/a/advantage/hist": {}}


@pytest.mark.parametrize(
    "other, gap, name",
    [
        ({"actor/loss": 0.5}, 0.0, ""),
        ({"actor/loss": 0.75}, 0.25, "actor/loss"),
        ({"actor/loss": None}, math.inf, "actor/loss"),
        ({}, math.inf, "actor/loss"),
        ({"actor/loss": 0.5, "actor/new": 1.0}, math.inf, "actor/new"),
        ({"actor/loss": 0.5, "timing_s/step": 9.0, "actor/perf/memory": 1.0}, 0.0, ""),
    ],
)
def test_largest_difference(other, gap, name):
    assert difference(STEP, {"step": 1, **other}) == (gap, name)


@pytest.mark.parametrize("resumed, kills, code", [([1], 1, 0), ([1, 1], 2, 0), ([2], 1, 1), ([1, 3], 2, 1), ([], 1, 1)])
def test_only_the_steps_after_a_kill_decide_and_none_may_lack(tmp_path, resumed, kills, code):
    for run, second in (("whole", 0.5), ("killed", 0.6)):
        (tmp_path / run).mkdir()
        lines = [{"step": 1, "actor/loss": 0.5}, {"step": 2, "actor/loss": second}]
        (tmp_path / run / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    assert judge(compare(tmp_path / "whole", tmp_path / "killed", resumed), kills) == code


def test_a_kill_takes_the_children_too(tmp_path):
    child = "import os, time; open('child', 'w').write(str(os.getpid())); time.sleep(60)"
    parent = (
        f"import subprocess, sys, os; os.chdir({str(tmp_path)!r}); subprocess.run([sys.executable, '-c', {child!r}])"
    )
    marker = tmp_path / "child"
    killed = until_killed(
        [sys.executable, "-c", parent], tmp_path, minutes=1, killed=lambda: marker.exists() and marker.read_text()
    )
    assert killed
    pid = int(marker.read_text())
    assert not psutil.pid_exists(pid) or psutil.Process(pid).status() == psutil.STATUS_ZOMBIE


def test_a_run_that_fails_is_an_error(tmp_path):
    with pytest.raises(RuntimeError, match=r"ended with 3.*train\.log"):
        until_killed([sys.executable, "-c", "raise SystemExit(3)"], tmp_path, minutes=1)
