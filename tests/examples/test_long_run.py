"""long_run.py on processes and metrics that are made up: a leak is found, noise and warm-up are not taken for one."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evidence"))
import long_run
from long_run import gaps, growth, growths, name_of, report, watch

STEPS = np.repeat(np.arange(1, 201), 2)
NOISE = np.random.default_rng(0).normal(0, 2**20, len(STEPS))


@pytest.mark.parametrize(
    "values, grows",
    [
        (500 * 2**20 + NOISE, False),
        (500 * 2**20 + 2**20 * STEPS + NOISE, True),
        (500 * 2**20 + 2**16 * STEPS + NOISE, False),
        (500 * 2**20 - 2**20 * STEPS + NOISE, False),
    ],
    ids=["flat", "a MiB a step", "12 MiB in all", "falls"],
)
def test_growth_of_memory(values, grows):
    found = growth("p", "uss", STEPS, values)
    assert found.grows is grows
    assert found.steps == 199


def test_the_interval_holds_the_slope():
    inside = 0
    for seed in range(200):
        # A random walk: neighbouring samples depend on each other, as memory does.
        walk = np.random.default_rng(seed).normal(0, 1, len(STEPS))
        found = growth("p", "files", STEPS, 3 * STEPS + walk)
        inside += abs(found.slope - 3) <= found.half
    assert inside >= 180


@pytest.mark.parametrize("what, a_step, grows", [("files", 0.1, True), ("files", 0.01, False), ("threads", 0.1, True)])
def test_growth_of_pieces(what, a_step, grows):
    assert growth("p", what, STEPS, 100 + a_step * STEPS).grows is grows


def taken(pid, step, **values):
    return {
        "pid": pid,
        "name": "ray::A",
        "step": step,
        "uss": 1e8,
        "rss": 2e8,
        "pss": 1e8,
        "files": 9,
        "threads": 9,
    } | values


def test_the_warm_up_is_left_out_and_short_lives_too():
    grows_at_first = [taken(1, step, uss=1e8 + 1e7 * min(step, 40)) for step in STEPS]
    short = [taken(2, step) for step in STEPS[:10]]
    found = list(growths(grows_at_first + short))
    assert {one.process for one in found} == {"ray::A (1)"}
    assert {one.what for one in found} == {"uss", "rss", "files", "threads"}
    assert not any(one.grows for one in found)


@pytest.mark.parametrize(
    "command, name",
    [
        (["ray::RewardLoopWorker.compute_score"], "ray::RewardLoopWorker"),
        (["VLLM::EngineCore"], "VLLM::EngineCore"),
        (["/x/python", "-m", "verl_ext.main_ppo", "a=b"], "-m verl_ext.main_ppo"),
        (["bash", "examples/quickstart.sh"], "quickstart.sh"),
        (["/x/raylet/raylet", "--raylet_socket_name=…"], "raylet"),
    ],
)
def test_names_stay_the_same(command, name):
    assert name_of(command) == name


def metrics(*steps, **last):
    entries = [{"step": step, "training/global_step": step, "actor/loss": 0.1, "timing_s/step": 2.0} for step in steps]
    entries[-1].update(last)
    return entries


@pytest.mark.parametrize(
    "entries, problem",
    [
        (metrics(1, 2, 3), None),
        ([{"step": 0, "val/mean_accuracy": 0.5}, *metrics(1, 2)], None),
        (metrics(1, 2, 4), "step 3 is missing"),
        (metrics(2, 3), "step 1 is missing"),
        (metrics(1, 2, **{"actor/loss": None}), "actor/loss has no value in 1 step(s), first 2"),
        (metrics(1, 2, **{"actor/new": 1.0}), "actor/new is missing in 1 step(s), first 1"),
        (metrics(1, 2, **{"task/a/rows": 1.0, "val/x": 1.0, "timing_s/save_checkpoint": 1.0}), None),
    ],
)
def test_gaps(entries, problem):
    assert gaps(entries) == ([problem] if problem else [])


LEAKS = """
import json, subprocess, sys, time
run = sys.argv[1]
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
kept = []
for step in range(1, 61):
    kept += [bytearray(2**21), open("/dev/null")]
    with open(run + "/metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": step, "training/global_step": step}) + "\\n")
    time.sleep(0.1)
"""


def test_a_tree_of_processes_with_a_leak(tmp_path, capsys, monkeypatch):
    script = tmp_path / "leaks.py"
    script.write_text(LEAKS)
    monkeypatch.setattr(long_run, "SECONDS", 0.1)
    assert watch([sys.executable, str(script), str(tmp_path)], tmp_path, seconds=0.05) == 0
    names = {json.loads(line)["name"] for line in (tmp_path / "processes.jsonl").read_text().splitlines()}
    assert len(names) == 2 and "leaks.py" in names
    assert report(tmp_path) == 1
    said = capsys.readouterr().out
    growing = next(line for line in said.splitlines() if line.startswith("Growing: "))
    assert growing.count("leaks.py") == 3 and "files" in growing and "uss" in growing
    assert "all steps and all names there" in said


def test_the_command_line_of_the_docs(tmp_path, monkeypatch):
    written = tmp_path / "written"
    command = [sys.executable, "-c", f"open({str(written)!r}, 'w')", "--run", "its own"]
    monkeypatch.setattr(sys, "argv", ["long_run.py", "watch", "--run", str(tmp_path), "--", *command])
    with pytest.raises(FileNotFoundError, match="metrics"):  # the command trained nothing
        long_run.main()
    assert written.exists() and (tmp_path / "processes.jsonl").exists()


def test_a_watch_of_nothing_is_refused(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["long_run.py", "watch", "--run", str(tmp_path)])
    with pytest.raises(SystemExit):
        long_run.main()
    assert "name the command behind --" in capsys.readouterr().err
