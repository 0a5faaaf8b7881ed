"""Two runs on the same validation rows: the paired difference, its interval and the exact test."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from report_run import TASKS, Page, make_run
from scipy.stats import binomtest

from verl_ext.report import write_comparison
from verl_ext.report.load import load_all
from verl_ext.report.paired import Paired, difference, pair

FEW = {task: TASKS[task] for task in ("arithmetic", "digit_box")}
ROWS = 6


@pytest.fixture
def two(tmp_path: Path) -> list[Path]:
    return [make_run(tmp_path / name, steps=4, rows=ROWS, tasks=FEW) for name in ("first", "second")]


def edit(run: Path, step: int, change: Callable[[dict], dict | None]) -> None:
    path = run / "validation" / f"{step}.jsonl"
    rows = [change(json.loads(line)) for line in path.read_text().splitlines()]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows if row))


def paired(runs: list[Path]) -> Paired:
    return pair(*load_all(runs))


@pytest.mark.parametrize(
    ("before", "after", "mean", "better", "worse"),
    [
        ([0, 0, 1, 1], [1, 0, 1, 1], 0.25, 1, 0),
        ([0, 0, 1, 1], [1, 1, 0, 1], 0.25, 2, 1),
        ([0.5, 1.0], [0.25, 1.0], -0.125, 0, 1),
        ([1, 1, 1], [1, 1, 1], 0, 0, 0),
        ([1, 1], [0, 0], -1, 0, 2),
    ],
)
def test_difference_and_exact_test(before: list, after: list, mean: float, better: int, worse: int) -> None:
    found = difference(before, after)
    assert (found.n, found.mean, found.better, found.worse) == (len(before), mean, better, worse)
    assert found.p == pytest.approx(binomtest(better, better + worse).pvalue if better + worse else 1.0)
    assert -1 <= found.low < found.mean < found.high <= 1 or abs(mean) == 1


def test_swapped_runs_have_the_opposite_difference() -> None:
    rng = np.random.default_rng(0)
    a, b = rng.random(50).round(1), rng.random(50).round(1)
    there, back = difference(a, b), difference(b, a)
    assert (there.mean, there.low, there.high) == pytest.approx((-back.mean, -back.high, -back.low))
    assert (there.better, there.worse, there.p) == (back.worse, back.better, back.p)


@pytest.mark.parametrize(
    ("n", "before", "after"), [(20, 0.9, 0.95), (60, 0.97, 0.98), (60, 0.5, 0.6), (400, 0.5, 0.53)]
)
def test_the_interval_holds_its_level_for_few_rows_and_shares_near_1(n: int, before: float, after: float) -> None:
    """Where mean ± 1.96 standard errors holds the truth in 58 and 72 of 100 samples."""
    rng = np.random.default_rng(n)
    luck = rng.random((2000, n))
    other = np.where(rng.random((2000, n)) < 0.7, luck, rng.random((2000, n)))
    found = [difference(a, b) for a, b in zip(luck < before, other < after, strict=True)]
    held = np.mean([each.low <= after - before <= each.high for each in found])
    assert held > 0.935


def test_many_rows_give_the_interval_of_the_paired_standard_error() -> None:
    rng = np.random.default_rng(0)
    a, b = (rng.random((2, 20_000)) < [[0.5], [0.52]]).astype(float)
    found = difference(a, b)
    reach = 1.96 * (b - a).std(ddof=1) / np.sqrt(a.size)
    assert (found.low, found.high) == pytest.approx((found.mean - reach, found.mean + reach), abs=2e-4)


@pytest.mark.parametrize(("rights", "verdict"), [(0, "same"), (3, "same"), (20, "up")])
def test_only_clear_differences_are_coloured(rights: int, verdict: str) -> None:
    before, after = np.zeros(60), np.arange(60) < rights
    assert difference(before, after).verdict == verdict
    assert difference(after, before).verdict == verdict.replace("up", "down")


def test_every_task_category_and_all_rows_are_paired_by_name_not_by_order(two: list[Path]) -> None:
    path = two[1] / "validation" / "4.jsonl"
    path.write_text("".join(reversed(path.read_text().splitlines(keepends=True))))
    found = paired(two)
    assert found.steps == (4, 4) and not found.notes
    assert {key: cell.n for key, cell in found.cells.items()} == {
        ("all", "all"): 2 * ROWS,
        **{("task", task): ROWS for task in FEW},
        **{("category", category): ROWS for category, *_ in FEW.values()},
    }
    assert all((cell.better, cell.worse) == (0, 0) for cell in found.cells.values())


def test_a_run_that_is_behind_is_compared_at_the_step_that_both_have(two: list[Path]) -> None:
    (two[1] / "validation" / "4.jsonl").unlink()
    assert paired(two).steps == (2, 2)
    (two[1] / "validation" / "2.jsonl").unlink()
    assert paired(two).steps == (4, 0)
    for step in (2, 4):
        (two[0] / "validation" / f"{step}.jsonl").unlink(missing_ok=True)
    assert paired(two).steps == (0, 0)


def test_rows_of_one_run_alone_are_left_out_and_counted(two: list[Path]) -> None:
    edit(two[1], 4, lambda row: None if row["row"] in ("val/0", "val/1") else row)
    found = paired(two)
    assert found.cells["all", "all"].n == 2 * ROWS - 2
    assert list(found.notes) == ["2 rows of first have no partner and are left out"]


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda row: {**row, "gts": "other"} if row["row"] == "val/3" else row, "other gold answers .*val/3"),
        (lambda row: {**row, "row": f"new/{row['row']}"}, "no row in common"),
    ],
)
def test_other_validation_data_are_never_paired(two: list[Path], change: Callable, note: str) -> None:
    edit(two[1], 4, change)
    found = paired(two)
    assert found.steps is None and not found.cells
    assert re.search(note, found.notes[0])


def test_the_page_names_the_baseline_and_shows_difference_interval_and_test(two: list[Path]) -> None:
    edit(two[1], 4, lambda row: {**row, "acc": 1.0})
    edit(two[0], 4, lambda row: {**row, "acc": float(row["task"] == "arithmetic")})
    text = " ".join(Page(write_comparison(two, two[0].parent / "c.html")[0].read_text()).text.split())
    assert "Difference to first, row by row" in text and "Baseline: first, the first run named" in text
    cell = paired(two).cells["task", "digit_box"]
    assert f"+100.0 [+{100 * cell.low:.1f}, +100.0]" in text
    assert f"6 better, 0 worse of 6; p = {cell.p:.3f}" in text
    assert "step 4 less step 4" in text


def test_runs_without_rows_have_no_table_and_say_so(two: list[Path]) -> None:
    for path in (two[1] / "validation").iterdir():
        path.unlink()
    text = Page(write_comparison(two, two[0].parent / "c.html")[0].read_text()).text
    assert "second: no rows of validation." in text and "Baseline:" not in text
