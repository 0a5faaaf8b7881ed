"""faults.py without the pipeline: what counts as holding, what is damaged, and a fault in a run that costs nothing."""

import contextlib
import json
import shutil
import sys
import time
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evidence"))
import fault_runs
from fault_cases import CASES, Case, empty_tracker, take_over
from fault_runs import STEPS, Seen, killing, ours_in, steps_of, verdict, watch_run
from faults import RESULTS, table
from small_disk import small_disk

ALL = list(range(1, STEPS + 1))
STOPPED, WENT_ON, HUNG = Seen(1, 5.0, ["verl_ext: dead"]), Seen(0, 3.0, []), Seen(None, 180.0, [])


@pytest.mark.parametrize(
    "first, again, steps, gap, why",
    [
        (Seen(0, 3.0, ["verl_ext: dead"]), None, ALL, None, "holds"),
        (WENT_ON, None, ALL, None, "no message of this fault"),
        (Seen(1, 5.0, ["verl_ext: the run stopped: something else"]), WENT_ON, ALL, 0.0, "no message of this fault"),
        (STOPPED, WENT_ON, ALL, 1e-6, "holds"),
        (STOPPED, None, [], None, "holds: refused"),
        (HUNG, WENT_ON, ALL, 0.0, "hung"),
        (STOPPED, HUNG, ALL, 0.0, "hung"),
        (Seen(1, 61.0, ["verl_ext: dead"]), WENT_ON, ALL, 0.0, "stopped after 61"),
        (Seen(1, None, ["verl_ext: dead"]), WENT_ON, ALL, 0.0, "stopped after None"),
        (Seen(1, 5.0, []), WENT_ON, ALL, 0.0, "no message of this fault"),
        (STOPPED, STOPPED, ALL, 0.0, "did not resume"),
        (STOPPED, WENT_ON, [1, 3, 4], 0.0, "steps in the metrics"),
        (STOPPED, WENT_ON, ALL, 2e-5, "differ"),
    ],
)
def test_verdict(first, again, steps, gap, why):
    holds, said = verdict(first, again, steps, gap, "dea[dt]")
    assert why in said and holds is why.startswith("holds")


def test_a_killed_driver_says_nothing():
    assert verdict(Seen(-9, 0.1, []), WENT_ON, ALL, 0.0) == (True, "holds")
    assert sorted(name for name, case in CASES.items() if not case.says) == ["driver", "machine"]


def test_every_stored_case_said_what_it_must():
    for name, case in json.loads(RESULTS.read_text())["cases"].items():
        seen = [case[start] and Seen(**case[start]) for start in ("first", "again")]
        assert verdict(*seen, case["steps"], case["largest_difference"], CASES[name].says)[0], name


def test_our_lines_of_a_log():
    log = (
        "\x1b[36m(TaskRunnerV1 pid=9)\x1b[0m ERROR verl_ext: a process is dead\nnoise\n"
        "verl_ext: the run stopped: x\nverl_ext: the run stopped: x\n"
        "verl_ext: the data is bad:\n  - row 2\n"
        "(worker) TimeoutError: the reward of row a/1 took over 45 s\n"
    )
    timeout, *others = ours_in(log)
    assert timeout.startswith("the reward of row a/1")
    assert others == [
        "verl_ext: a process is dead",
        "verl_ext: the run stopped: x",
        "verl_ext: the data is bad:\n  - row 2",
    ]


RUN = """
import json, subprocess, sys, time
run = sys.argv[1]
victim = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)  # VIC" + "TIM"])
for step in (1, 2):
    with open(run + "/metrics.jsonl", "a") as file:
        file.write(json.dumps({"step": step}) + "\\n")
    if victim.wait() and step == 1:
        sys.exit("verl_ext: the victim is dead")
"""


def test_a_kill_is_timed_from_its_moment_to_the_end(tmp_path):
    case = Case("", kills="# VICTIM")
    command = [sys.executable, "-c", RUN, str(tmp_path)]
    seen = watch_run(command, tmp_path, {}, begins=lambda: steps_of(tmp_path) == [1], strike=killing(case))
    assert seen.code == 1 and 0 <= seen.seconds < 10
    assert seen.said == ["verl_ext: the victim is dead"]


@pytest.mark.parametrize("later, limit", [(0, "LAUNCH_SECONDS"), (1.5, "HUNG_SECONDS")])
def test_a_run_that_hangs_is_ended(tmp_path, monkeypatch, later, limit):
    monkeypatch.setattr(fault_runs, limit, 0.5)
    start = time.monotonic()
    command = [sys.executable, "-c", "import time; time.sleep(60)"]
    seen = watch_run(command, tmp_path, {}, begins=lambda: time.monotonic() - start >= later)
    assert seen.code is None and time.monotonic() - start < 15


def finished(folder):
    for step in ALL:
        (folder / "checkpoints" / f"global_step_{step}").mkdir(parents=True)
        (folder / "checkpoints" / f"global_step_{step}" / "verl_ext.json").write_text('{"a": 1}')
    (folder / "metrics.jsonl").write_text("".join(json.dumps({"step": step}) + "\n" for step in ALL))
    return folder


def test_a_run_is_taken_over_at_a_step_and_its_newest_checkpoint_damaged(tmp_path):
    take_over(finished(tmp_path / "whole"), tmp_path / "damaged", 3)
    root = tmp_path / "damaged" / "checkpoints"
    assert steps_of(tmp_path / "damaged") == [1, 2, 3]
    assert sorted(path.name for path in root.glob("global_step_*")) == [f"global_step_{step}" for step in (1, 2, 3)]
    damaged = CASES["state_file"].checkpoint(root)
    assert damaged == root / "global_step_3" / "verl_ext.json" and damaged.read_text() == '{"a"'
    assert empty_tracker(root).read_text() == ""
    assert (tmp_path / "whole" / "checkpoints" / "global_step_3" / "verl_ext.json").read_text() == '{"a": 1}'


def test_every_case_has_one_fault_and_a_row_in_the_table():
    for case in CASES.values():
        faults = [case.kills, case.rows and not case.stuck, case.checkpoint, case.full_disk, case.stuck]
        assert sum(map(bool, faults)) == 1
    seen = {"code": 1, "seconds": 5.0, "said": ["verl_ext: a | b"]}
    one = {"what": "x", "first": seen, "again": None, "saved_step": "", "missing_responses": [None, 4.0], "steps": ALL,
           "largest_difference": None, "holds": False, "why": "hung", "commit": "0123456789"}  # fmt: skip
    text = table({"cases": dict.fromkeys(CASES, one), "versions": {"verl": "0.9.1"}})
    rows = [line for line in text.splitlines() if "**no**: hung" in line]
    assert len(rows) == len(CASES) and all(line.replace("\\|", "").count("|") == 9 for line in rows)


def test_a_small_disk_is_full_and_grows(tmp_path):
    if not shutil.which("unshare"):
        pytest.skip("no unshare")
    with contextlib.ExitStack() as stack:
        try:
            disk = stack.enter_context(small_disk(tmp_path / "disk", 2**20))
        except RuntimeError as error:
            pytest.skip(str(error))
        script = f"open({str(tmp_path / 'disk' / 'x')!r}, 'wb').write(b'x' * 2**21)"
        write = [*disk.inside, sys.executable, "-c", script]
        assert fault_runs.subprocess.run(write, capture_output=True, text=True).stderr.count("No space left")
        disk.resize(2**22)
        assert fault_runs.subprocess.run(write).returncode == 0
        assert (disk.outside_view / "x").stat().st_size == 2**21
        assert not (tmp_path / "disk" / "x").exists()
