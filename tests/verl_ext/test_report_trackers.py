from __future__ import annotations

import csv
import json
import sys
from pathlib import Path

import pytest
from report_run import TASKS, Page, make_run

from verl_ext.report import write_comparison, write_report
from verl_ext.report.load import load
from verl_ext.report.run import load_run

FEW = {task: TASKS[task] for task in ("arithmetic", "digit_box")}


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "run", steps=6, rows=4, tasks=FEW)


@pytest.fixture(scope="module")
def history(run: Path) -> list[dict]:
    """What verl's trackers get: numbers alone, validation as metrics, W&B's own columns."""
    rows = []
    for line in (run / "metrics.jsonl").read_text().splitlines():
        record = json.loads(line)
        step = record.pop("step")
        row = {key: value for key, value in record.items() if isinstance(value, int | float)}
        if step in (0, 6):
            row |= {"val/task/arithmetic/accuracy": 0.25 + step / 12, "val/category/math_vqa/accuracy": 0.5}
            row |= {"val/mean_accuracy": 0.25 + step / 24}
        rows.append({"_step": step, "_runtime": 1.5 * step, "_timestamp": 1.7e9 + step} | row)
    return rows


def write_events(folder: Path, history: list[dict], *, first: int = 0) -> None:
    from tensorboard.compat.proto.event_pb2 import Event
    from tensorboard.compat.proto.summary_pb2 import Summary
    from tensorboard.summary.writer.event_file_writer import EventFileWriter

    folder.mkdir(parents=True, exist_ok=True)
    writer = EventFileWriter(str(folder))
    for row in history[first:]:
        values = [Summary.Value(tag=key, simple_value=value) for key, value in row.items() if key[0] != "_"]
        writer.add_event(Event(step=row["_step"], wall_time=1.0, summary=Summary(value=values)))
    writer.close()


def write_csv(path: Path, history: list[dict]) -> None:
    columns = sorted({key for row in history for key in row})
    with path.open("w", newline="") as file:
        table = csv.DictWriter(file, columns, restval="")
        table.writeheader()
        table.writerows(history)


def columns_of(history: list[dict]) -> dict:
    """As pandas.DataFrame.to_json writes by default."""
    keys = {key for row in history for key in row}
    return {key: {str(number): row.get(key) for number, row in enumerate(history)} for key in keys}


SOURCES = {
    "history.csv": write_csv,
    "history.json": lambda path, history: path.write_text(json.dumps(history)),
    "columns.json": lambda path, history: path.write_text(json.dumps(columns_of(history))),
    "history.jsonl": lambda path, history: path.write_text("".join(json.dumps(row) + "\n" for row in history)),
    "events": write_events,
}


@pytest.mark.parametrize("name", SOURCES)
def test_curves_are_those_of_the_run_folder(name: str, run: Path, history: list[dict], tmp_path: Path) -> None:
    SOURCES[name](tmp_path / name, history)
    found, own = load(tmp_path / name), load_run(run)
    for key in ("task/arithmetic/accuracy", "category/grounding/entropy", "timing_s/step"):
        for mine, theirs in zip(found.series(key), own.series(key), strict=True):
            assert mine == pytest.approx(theirs)
    assert found.names("task") == own.names("task")
    assert found.category_of() == own.category_of()
    overall, task = found.summary["overall"], found.summary["tasks"]["arithmetic"]
    assert (overall["acc_before"], overall["acc_after"], overall["se_diff"]) == (0.25, 0.5, None)
    assert (task["acc_before"], task["acc_after"], task["n"]) == (0.25, 0.75, None)


@pytest.mark.parametrize("name", ["history.csv", "events"])
def test_the_page_shows_the_curves_and_says_what_is_missing(name: str, history: list[dict], tmp_path: Path) -> None:
    SOURCES[name](tmp_path / name, history)
    out, notices = write_report(tmp_path / name)
    page = Page(out.read_text())
    assert out == (tmp_path / "events/report.html" if name == "events" else tmp_path / "history.html")
    assert page.count("figure", class_="panel") == 4 + 6 * len(FEW) + 2
    assert "mean of the categories" in page.text and "25.0 → 50.0" in " ".join(page.text.split())
    assert any("no config" in notice and "no standard errors" in notice for notice in notices)


def test_a_run_folder_beside_an_export_of_another(run: Path, history: list[dict], tmp_path: Path) -> None:
    write_csv(tmp_path / "other.csv", history)
    page = Page(write_comparison([run, tmp_path / "other.csv"], tmp_path / "c.html")[0].read_text())
    assert "What is missing in other" in page.text


def test_event_files_of_a_resumed_run_are_one_run(history: list[dict], tmp_path: Path) -> None:
    write_events(tmp_path, history[:5])
    again = [{**row, "task/arithmetic/accuracy": 0.0} for row in history[3:] if row["_step"]]
    (tmp_path / "second").mkdir()
    write_events(tmp_path / "second", again)
    # A later process sorts behind the first by the time in the name of its file.
    file = next((tmp_path / "second").iterdir())
    file.rename(tmp_path / "events.out.tfevents.9999999999.host")
    file.parent.rmdir()
    steps, values = load(tmp_path).series("task/arithmetic/accuracy")
    assert steps.tolist() == [1, 2, 3, 4, 5, 6]
    assert values.tolist()[2:] == [0, 0, 0, 0]


def test_event_files_one_folder_below_are_found_and_two_such_are_an_error(history: list[dict], tmp_path: Path) -> None:
    write_events(tmp_path / "project/first", history)
    assert load(tmp_path).last_step == 6
    write_events(tmp_path / "project/second", history)
    with pytest.raises(ValueError, match=r"2 folders .*first.*second.*name one of them"):
        load(tmp_path)


def test_without_tensorboard_the_error_says_what_to_install(
    history: list[dict], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_events(tmp_path, history)
    monkeypatch.setitem(sys.modules, "tensorboard.backend.event_processing.event_accumulator", None)
    with pytest.raises(ValueError, match="pip install tensorboard"):
        load(tmp_path)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("h.csv", "Step,loss\n1,2\n", r"column _step \(columns: Step, loss\)"),
        ("h.csv", "", r"columns: none"),
        ("h.jsonl", "[1]\n", r"columns: none"),
        ("h.json", "{", "is not JSON"),
        ("h.json", "3", "not int"),
        ("h.json", '{"a": 1}', "not dict"),
        ("h.json", '[{"_step": "x", "a": 1}]', "no row has a number"),
        ("h.txt", "", "a RUN is a run folder"),
    ],
)
def test_what_is_no_history_is_an_error_that_says_why(name: str, text: str, expected: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=expected):
        load(tmp_path / name)


def test_rows_of_one_step_are_merged_and_odd_cells_left_out(tmp_path: Path) -> None:
    rows = [{"_step": 1, "task/t/accuracy": 0.5}, {"_step": 1, "task/t/reward": "0.25", "task/t/accuracy": None}]
    rows += [{"_step": 2, "task/t/accuracy": "NaN", "note": "text"}, {"loss": 1}]
    (tmp_path / "h.json").write_text(json.dumps(rows))
    run = load(tmp_path / "h.json")
    assert run.metrics == [
        {"step": 1, "task/t/accuracy": 0.5, "task/t/reward": 0.25, "_step": 1},
        {"step": 2, "_step": 2},
    ]
    assert any(notice.startswith("1 row(s)") for notice in run.notices)


def test_a_run_folder_stays_one_when_event_files_lie_in_it(run: Path, history: list[dict], tmp_path: Path) -> None:
    import shutil

    shutil.copytree(run, tmp_path / "run")
    write_events(tmp_path / "run/tensorboard", history)
    assert len(load(tmp_path / "run").validations) == 3
