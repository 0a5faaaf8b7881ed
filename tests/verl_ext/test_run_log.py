import json
import math

import numpy as np
import pytest

from verl_ext.run_log import RunLog, last, read


def opened(folder, *, resume_step):
    log = RunLog(folder)
    log.open(resume_step=resume_step)
    return log


def test_steps_append_across_resumes(tmp_path):
    log = opened(tmp_path, resume_step=0)
    for step in range(5):
        log.write(step, {"a": step})
    log = opened(tmp_path, resume_step=3)
    log.write(3, {"a": "validation of the resumed checkpoint"})
    log.write(4, {"a": 40})
    assert [(entry["step"], entry["a"]) for entry in read(log.path)] == [(0, 0), (1, 1), (2, 2), (3, 3), (4, 40)]


def test_run_from_the_start_begins_an_empty_file(tmp_path):
    opened(tmp_path, resume_step=0).write(0, {"a": 1})
    assert read(opened(tmp_path, resume_step=0).path) == []


@pytest.mark.parametrize("resumed", [0, 2])
def test_validating_alone_leaves_the_log_of_the_training(tmp_path, resumed):
    log = opened(tmp_path, resume_step=0)
    for step in range(5):
        log.write(step, {"a": step})
    before = log.path.read_text()
    log = RunLog(tmp_path)
    log.open(resume_step=resumed, trains=False)
    log.write(resumed, {"a": "again"})
    assert log.path.read_text() == before


def test_validating_alone_in_an_empty_folder_is_logged(tmp_path):
    log = RunLog(tmp_path)
    log.open(resume_step=0, trains=False)
    log.write(0, {"a": 1})
    assert read(log.path) == [{"step": 0, "a": 1}]


def test_a_provisional_step_is_replaced_once_and_counts_if_the_run_dies(tmp_path):
    log = opened(tmp_path, resume_step=0)
    log.write(1, {"a": 1})
    log.write(2, {"a": "long " * 99, "b": 2}, provisional=True)
    assert [entry["step"] for entry in read(log.path)] == [1, 2]
    for again in (20, 21):
        log.write(2, {"a": again})
    log.write(3, {"a": 3}, provisional=True)
    log = opened(tmp_path, resume_step=3)
    log.write(3, {"a": 30})
    log.write(4, {"a": 4})
    assert [(entry["step"], entry["a"]) for entry in read(log.path)] == [(1, 1), (2, 20), (3, 3), (4, 4)]


def test_torn_last_line_is_dropped_and_a_torn_middle_is_an_error(tmp_path):
    path = tmp_path / "metrics.jsonl"
    path.write_text('{"step": 1}\n{"step": 2, "a')
    assert read(path) == [{"step": 1}]
    path.write_text('{"step": 1, "a\n{"step": 2}\n')
    with pytest.raises(ValueError, match="line 1"):
        read(path)


@pytest.mark.parametrize("width", [1, 70_000, 200_000])
def test_the_last_entry_is_found_from_the_end(tmp_path, width):
    log = tmp_path / "metrics.jsonl"
    assert last(log) is None
    entries = [json.dumps({"step": step, "a": "x" * width}) for step in range(3)]
    log.write_text(entries[0][:-1])
    assert last(log) is None, "its only line is torn"
    for count in (1, 2, 3):
        log.write_text("".join(f"{line}\n" for line in entries[:count]))
        assert last(log) == read(log)[-1] == json.loads(entries[count - 1])
    log.write_text("\n".join(entries))
    assert last(log)["step"] == 1


def test_values_are_plain_json(tmp_path):
    log = opened(tmp_path, resume_step=0)
    log.write(0, {"n": np.float32(0.5), "nan": math.nan, "text": "left out", "hist": {"counts": [1]}})
    assert json.loads(log.path.read_text()) == {"step": 0, "n": 0.5, "nan": None, "hist": {"counts": [1]}}
