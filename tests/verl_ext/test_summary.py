from __future__ import annotations

import json
import logging
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from verl_ext import summary

FIELDS = {"n", "acc_before", "acc_after", "se_before", "se_after", "se_diff"}


def write_validation(run: Path, step: int, accs: dict[str, list[float | None]], torn: bool = False) -> Path:
    """accs = {task: acc per row}; rows are numbered through the tasks; task "a1" has category "a"."""
    rows, index = [], 0
    for task, values in accs.items():
        for acc in values:
            rows.append({"row": f"val/{index}", "task": task, "category": task[0], "acc": acc, "step": step})
            index += 1
    path = run / "validation" / f"{step}.jsonl"
    path.parent.mkdir(exist_ok=True)
    text = "".join(json.dumps(row) + "\n" for row in rows)
    path.write_text(text[:-20] if torn else text)
    return path


BEFORE = {"a1": [0, 0, 1, 0], "a2": [0, 1], "b1": [0.25, 0.5, 1]}
AFTER = {"a1": [1, 0, 1, 1], "a2": [0, 1], "b1": [0.5, 0.5, 0]}


def test_paired_figures_equal_numpys(tmp_path: Path) -> None:
    write_validation(tmp_path, 0, BEFORE)
    write_validation(tmp_path, 20, {task: [0.0] * len(v) for task, v in BEFORE.items()})
    write_validation(tmp_path, 100, AFTER)
    found = summary.summarise(tmp_path)
    groups = {"tasks": {t: [t] for t in BEFORE}, "categories": {"a": ["a1", "a2"], "b": ["b1"]}}
    for block, names in groups.items():
        assert set(found[block]) == set(names)
    cases = [(found[block][name], tasks) for block, names in groups.items() for name, tasks in names.items()]
    for got, tasks in [*cases, (found["overall"], list(BEFORE))]:
        before = np.concatenate([BEFORE[t] for t in tasks])
        after = np.concatenate([AFTER[t] for t in tasks])
        root = np.sqrt(len(before))
        expected = {
            "n": len(before),
            "acc_before": before.mean(),
            "acc_after": after.mean(),
            "se_before": before.std(ddof=1) / root,
            "se_after": after.std(ddof=1) / root,
            "se_diff": (after - before).std(ddof=1) / root,
        }
        assert set(got) == FIELDS
        assert got == pytest.approx(expected)


def test_a_worked_standard_error() -> None:
    """Differences 1 0 0 1: variance 1/3, so sqrt(1/12); the ends have variance 1/4 each."""
    got = summary.stats([0, 0, 1, 0], [1, 0, 1, 1])
    assert got == pytest.approx(
        {"n": 4, "acc_before": 0.25, "acc_after": 0.75, "se_before": 0.25, "se_after": 0.25, "se_diff": 12**-0.5}
    )


def test_order_of_rows_does_not_matter(tmp_path: Path) -> None:
    write_validation(tmp_path, 0, BEFORE)
    path = write_validation(tmp_path, 10, AFTER)
    expected = summary.summarise(tmp_path)
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    assert summary.summarise(tmp_path) == expected


def test_steps_are_compared_as_numbers(tmp_path: Path) -> None:
    for step in (9, 10, 100):
        write_validation(tmp_path, step, {"a1": [step / 100]})
    got = summary.summarise(tmp_path)["overall"]
    assert (got["acc_before"], got["acc_after"]) == (0.09, 1.0)


def test_one_row_has_no_standard_error(tmp_path: Path) -> None:
    write_validation(tmp_path, 0, {"a1": [0]})
    write_validation(tmp_path, 1, {"a1": [1]})
    got = summary.write_summary(tmp_path)["overall"]
    assert got == {"n": 1, "acc_before": 0, "acc_after": 1, "se_before": None, "se_after": None, "se_diff": None}
    assert "NaN" not in (tmp_path / "summary.json").read_text()


def test_one_validation_leaves_the_end_null(tmp_path: Path) -> None:
    write_validation(tmp_path, 0, BEFORE)
    got = summary.write_summary(tmp_path)
    assert got["overall"]["acc_after"] is got["overall"]["se_after"] is got["overall"]["se_diff"] is None
    assert got["overall"]["n"] == 9
    assert set(got["overall"]) == FIELDS
    assert "->             -" in summary.table(got)


def test_several_answers_to_a_row_count_once(tmp_path: Path) -> None:
    """Else the standard error would shrink with every repeat."""
    for step in (0, 5):
        path = write_validation(tmp_path, step, {"a1": [0, 1, 1]})
        path.write_text(path.read_text() * 4)
    write_validation(tmp_path, 9, {"a1": [0, 1, 1]})
    got = summary.summarise(tmp_path)["overall"]
    assert got["n"] == 3
    assert got["se_before"] == got["se_after"] == pytest.approx(1 / 3)


@pytest.mark.parametrize("torn_step", [0, 10])
def test_a_torn_last_line_is_left_out_with_a_warning(
    tmp_path: Path, torn_step: int, caplog: pytest.LogCaptureFixture
) -> None:
    for step, accs in ((0, BEFORE), (10, AFTER)):
        write_validation(tmp_path, step, accs, torn=step == torn_step)
    with caplog.at_level(logging.WARNING):
        got = summary.summarise(tmp_path)
    assert got["overall"]["n"] == 8
    assert "cut off" in caplog.text and "val/8" in caplog.text


@pytest.mark.parametrize("without", [{"acc": None}, {"acc": 0.0, "verifiable": False}, None])
def test_rows_without_a_verdict_are_named(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, without: dict[str, Any] | None
) -> None:
    """None: the row is absent, as verl writes no response whose reward failed."""
    path = write_validation(tmp_path, 0, {"a1": [0, 1, 1]})
    write_validation(tmp_path, 10, {"a1": [0, 1, 1]})
    lines = path.read_text().splitlines()
    lines[1:2] = [json.dumps(json.loads(lines[1]) | without)] if without else []
    path.write_text("\n".join(lines))
    with caplog.at_level(logging.WARNING):
        got = summary.summarise(tmp_path)["overall"]
    assert (got["n"], got["acc_before"]) == (2, 0.5)
    assert "val/1" in caplog.text


def broken_line(run: Path) -> None:
    path = write_validation(run, 0, BEFORE)
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join([lines[0], lines[1][:9] + "\n", *lines[2:]]))


def no_row_column(run: Path) -> None:
    write_validation(run, 0, BEFORE).write_text('{"input": "", "acc": 1}\n')


def nan_acc(run: Path) -> None:
    write_validation(run, 0, {"a1": [0, float("nan")]})


def other_rows(run: Path) -> None:
    write_validation(run, 0, {"a1": [0, 1]})
    write_validation(run, 10, {"a1": [0, 1, 1, 0, 1]})


def other_tasks(run: Path) -> None:
    write_validation(run, 0, {"a1": [0, 1]})
    write_validation(run, 10, {"a1": [0], "a2": [1]})


def no_rows(run: Path) -> None:
    write_validation(run, 0, {"a1": []})


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda run: None, "no validation/<step>.jsonl"),
        (broken_line, r"0\.jsonl: line 2 is not a JSON object"),
        (no_row_column, "line 1 has no row, task, category"),
        (nan_acc, "row val/1 has acc nan"),
        (other_rows, "step 10 that step 0 does not have: val/2, val/3, val/4"),
        (other_tasks, "another task at step 10: val/1"),
        (no_rows, "no validation row"),
    ],
)
def test_bad_input_is_named(tmp_path: Path, make, message: str) -> None:
    make(tmp_path)
    with pytest.raises(ValueError, match=message):
        summary.summarise(tmp_path)


def test_table_is_aligned(tmp_path: Path) -> None:
    write_validation(tmp_path, 0, BEFORE)
    write_validation(tmp_path, 10, AFTER)
    lines = summary.table(summary.summarise(tmp_path)).splitlines()
    assert len({line.index("->") for line in lines if "->" in line}) == 1
    a1 = next(line for line in lines if "a1" in line)
    assert " ".join(a1.split()) == "a1 4 25.0 ± 25.0 -> 75.0 ± 25.0 +50.0 ± 28.9"


def test_command_line_needs_nothing_of_verl(tmp_path: Path) -> None:
    write_validation(tmp_path, 0, BEFORE)
    write_validation(tmp_path, 10, AFTER)
    code = (
        "import sys; from verl_ext.summary import main; main([sys.argv[1]]);"
        "assert not {'verl', 'torch', 'ray'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(tmp_path)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "overall" in done.stdout
    assert json.loads((tmp_path / "summary.json").read_text()) == summary.summarise(tmp_path)
    with pytest.raises(SystemExit, match=r"error: .*no validation"):
        summary.main([str(tmp_path / "missing")])
