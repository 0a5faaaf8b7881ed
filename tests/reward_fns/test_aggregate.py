from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from reward_fns.aggregate import BENCHMARKS, benchmark_table, overall
from reward_fns.aggregate_figures import Figure, mean_figure, mean_of_figures, table, wilson
from reward_fns.aggregate_rows import Item, read_items, read_validation
from reward_fns.registry import TASKS
from reward_fns.score import compute_score


def rows(task: str, *cases: tuple[float | None, dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows as a run writes them, with info."""
    return [
        {"row": f"{task}/{at}", "task": task, "category": TASKS[task].category, "info": json.dumps(info)}
        | ({"acc": 0.0, "verifiable": False} if acc is None else {"acc": acc, "verifiable": True})
        for at, (acc, info) in enumerate(cases)
    ]


def figures(task: str, *cases: tuple[float | None, dict[str, Any]]) -> dict[str, Figure]:
    return {figure.name: figure for figure in benchmark_table(rows(task, *cases))}


def primary(found: dict[str, Figure]) -> Figure:
    (only,) = (figure for figure in found.values() if figure.is_primary)
    return only


def uneven(key: str, **shares: list[float]) -> list[tuple[float, dict[str, Any]]]:
    return [(acc, {key: value.replace("_", " ")}) for value, accs in shares.items() for acc in accs]


MEANS = [  # task, rows, primary, mean over the questions: parts of unequal size tell the two apart
    ("mmstar", uneven("l2_category", a=[1], b=[0, 0, 0]), 0.5, 0.25),
    ("refspatial", uneven("split", location=[1, 0.5], placement=[0], unseen=[0]), 0.25, 0.375),
    ("robospatial", uneven("category", context=[1], compatibility=[0, 0], configuration=[1, 0]), 0.5, 0.4),
    ("refcoco", uneven("split", val=[1, 1, 1], testA=[0], testB=[0.0]), 1 / 3, 0.6),
    ("mathverse", uneven("problem_version", Text_Only=[1, 1], Vision_Only=[0], Text_Lite=[1, 0]), 0.25, 0.6),
]


@pytest.mark.parametrize(("task", "cases", "expected", "pooled"), MEANS, ids=[case[0] for case in MEANS])
def test_the_primary_figure_is_the_mean_of_the_parts(task: str, cases: Any, expected: float, pooled: float) -> None:
    found = figures(task, *cases)
    assert primary(found).value == pytest.approx(expected)
    assert found["all questions"].value == pytest.approx(pooled)


@pytest.mark.parametrize(
    ("task", "key"),
    [
        *[("mathvista", "question_type"), ("mathvista", "answer_type"), ("mathvision", "subject")],
        *[("mathvision", "level"), ("chartqa", "type"), ("charxiv", "inst_category"), ("embspatial", "relation")],
        *[("mmstar", "category"), ("ocrbench", "question_type"), ("refcocog", "split")],
    ],
)
def test_break_downs(task: str, key: str) -> None:
    found = figures(task, (1, {key: "x"}), (0, {key: "x"}), (1, {key: "y"}))
    assert (found[f"{key}/x"].value, found[f"{key}/x"].n, found[f"{key}/y"].value) == (0.5, 2, 1.0)


def test_a_key_missing_in_one_row_makes_its_break_down_absent_never_wrong() -> None:
    found = figures("refcoco", (1, {"split": "val"}), (0, {"split": "testA"}), (0, {}))
    assert set(found) == {"all questions"}
    assert primary(found).value == pytest.approx(1 / 3)
    assert "1 rows without split" in primary(found).note


def roll(group: str, choices: str = "AB") -> dict[str, Any]:
    return {"group": group, "choices": {letter: "text" for letter in choices}}


def test_mmbench_is_right_only_if_every_roll_of_the_group_is() -> None:
    found = figures("mmbench", *[(1, roll("1"))] * 2, (1, roll("2")), (0, roll("2")), *[(1, roll("3", "ABC"))] * 3)
    assert (found["circular"].value, found["circular"].n, found["circular"].is_primary) == (pytest.approx(2 / 3), 3, 1)
    assert (found["per roll"].value, found["per roll"].n) == (pytest.approx(6 / 7), 7)


@pytest.mark.parametrize("lacking", [[(1, roll("2"))], [(1, roll("2")), (None, roll("2"))]])
def test_groups_that_lack_a_roll_or_its_verdict_are_left_out_and_named(lacking: Any) -> None:
    found = figures("mmbench", *[(0, roll("1"))] * 2, *lacking)
    assert (found["circular"].value, found["circular"].n) == (0, 1)
    assert "1 groups lack rolls: 2" in found["circular"].note


def test_the_table_does_not_depend_on_the_order_of_the_rows() -> None:
    """A run's validation writes its rows in the order in which answers came."""
    records = rows("mmbench", *[(1, roll(name)) for name in "97153824"])
    assert list(benchmark_table(records[::-1])) == list(benchmark_table(records))


@pytest.mark.parametrize("info", [{}, roll("1")])
def test_without_groups_or_rolls_there_is_no_circular_figure(info: dict[str, Any]) -> None:
    found = figures("mmbench", (1, info))
    assert set(found) == {"per roll"}
    assert "no circular figure" in primary(found).note


def test_several_responses_to_a_roll_give_the_expected_circular_figure() -> None:
    records = rows("mmbench", (1, roll("1")), (1, roll("1")))
    wrong = {**records[0], "acc": 0.0}
    found = {figure.name: figure for figure in benchmark_table([*records, wrong])}
    assert (found["circular"].value, found["circular"].n, found["per roll"].n) == (0.5, 1, 2)


def test_rolls_of_one_question_are_not_independent() -> None:
    same = figures("mmbench", *[(at % 2, roll(str(at))) for at in range(8) for _ in "AB"])
    assert same["per roll"].se == pytest.approx(figures("mmmu", *[(at % 2, {}) for at in range(8)])["all questions"].se)


def test_ocrbench_counts_hits_and_says_when_it_is_not_the_whole() -> None:
    cases = [(float(at < 911), {"question_type": "KIE"}) for at in range(1000)]
    whole = primary(figures("ocrbench", *cases))
    assert (whole.value, whole.unit, whole.note) == (pytest.approx(911), "points", "")
    assert "10 of 1000" in primary(figures("ocrbench", *cases[:10])).note
    assert next(figure for figure in overall([whole]) if figure.benchmark == "document").value == pytest.approx(0.911)


@pytest.mark.parametrize("mark", [{"verifiable": False}, {"acc": None}, {"row": "charxiv/unverifiable/2"}])
def test_rows_without_a_verdict_are_counted_and_left_out(mark: dict[str, Any]) -> None:
    records = rows("charxiv", *[(1, {"inst_category": 4})] * 2, (1, {"inst_category": 2}))
    records[2] |= mark
    found = {figure.name: figure for figure in benchmark_table(records)}
    assert (primary(found).value, primary(found).n, primary(found).left_out) == (1, 2, 1)
    assert math.isnan(found["inst_category/2"].value)
    assert found["inst_category/2"].left_out == 1


def test_a_part_without_a_verdict_is_named_in_the_mean_of_the_parts() -> None:
    found = primary(figures("refspatial", (1, {"split": "location"}), (None, {"split": "unseen"})))
    assert (found.value, found.n, found.left_out, found.note) == (1, 1, 1, "no verdict in split/unseen")


def test_results_of_compute_score_make_a_table() -> None:
    """Also: the category of a task is not taken for the benchmark's own `category`."""
    extra = {"index": 3, "info": {"kind": "yes/no", "category": "context"}}
    score = compute_score("robospatial", "<thinking>t</thinking><answer>yes</answer>", "yes", extra)
    plain = benchmark_table([{**score, "data_source": "RoboSpatial-Home", "index": 3}])
    full = benchmark_table([{**score, "data_source": "RoboSpatial-Home", "extra_info": extra}])
    assert [figure.name for figure in plain] == ["all questions"]
    assert [figure.name for figure in full] == ["mean of category", "all questions", "category/context"]


def test_responses_to_one_row_are_one_question_and_rows_of_one_name_with_other_info_are_not() -> None:
    one = rows("chartqa", (1, {"type": "human"}))[0]
    assert benchmark_table([one, {**one, "acc": 0.0}])[0].n == 1
    assert benchmark_table([one, {**one, "info": {"type": "augmented"}}])[0].n == 2


@pytest.mark.parametrize(
    ("record", "message"),
    [
        ({"acc": 1.0}, "neither row"),
        ({"row": "mmmu/1", "acc": 2.0}, "mmmu/1: acc is 2.0"),
        ({"row": "mmmux/1"}, "nearest: 'mmmu'"),
        ({"row": "mmmu/1", "acc": 1.0, "info": "{"}, "not JSON"),
        ({"row": "mmmu/1", "info": []}, "an object"),
    ],
)
def test_unusable_records_are_named(record: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        read_items([record])


def test_category_means_of_the_paper() -> None:
    """Reported benchmarks of the base and the trained model, and the category means of its ablation table."""
    reported = {"mmmu": 71.6, "mmbench": 88.2, "mmstar": 73.8, "embspatial": 83.1, "refspatial": 44.6}
    reported |= {"robospatial": 63.2, "docvqa": 96.7, "ocrbench": 911, "infovqa": 86.4}
    reported |= {"refcoco": 93.4, "refcoco+": 88.2, "refcocog": 90.4}
    given = [
        Figure(name, "x", value if name == "ocrbench" else value / 100, 1000, is_primary=True,
               unit="points" if name == "ocrbench" else "share")
        for name, value in reported.items()
    ]  # fmt: skip
    found = {figure.benchmark: round(100 * figure.value, 1) for figure in overall(given)}
    expected = {"general_vqa": 77.9, "spatial_reasoning": 63.6, "document": 91.4, "grounding": 90.7}
    assert expected.items() <= found.items()
    assert "without mathvista" in overall(given)[-1].note


def test_every_benchmark_enters_the_overall_mean_once() -> None:
    records = [record for name in BENCHMARKS for record in rows(name, (1, {"split": "val"}), (0, {"split": "val"}))]
    whole = overall(benchmark_table(records))[-1]
    assert (whole.benchmark, whole.value, whole.n, whole.note) == ("overall", 0.5, 18, "")


def test_eight_splits_of_refcoco() -> None:
    splits = {"refcoco": ["val", "testA", "testB"], "refcoco+": ["val", "testA", "testB"], "refcocog": ["val", "test"]}
    records = [
        record
        for task, names in splits.items()
        for record in rows(task, *[(float(task == "refcoco"), {"split": name}) for name in names])
    ]
    first = overall(benchmark_table(records))[0]
    assert (first.name, first.value) == ("mean of 8 splits", 0.375)


def test_errors_and_intervals() -> None:
    figure = mean_figure("x", "y", [Item("r", "x", float(at < 8), {}) for at in range(10)])
    assert figure.se == pytest.approx(math.sqrt(0.8 * 0.2 / 9))
    assert (figure.low, figure.high) == (pytest.approx(0.4902, abs=1e-4), pytest.approx(0.9433, abs=1e-4))
    assert wilson(1.0, 10) == (pytest.approx(0.7225, abs=1e-4), pytest.approx(1.0))
    dense = mean_figure("x", "y", [Item("r", "x", acc, {}) for acc in (0.2, 0.4)])
    assert (dense.low, dense.high) == (pytest.approx(0.3 - 1.959964 * 0.1), pytest.approx(0.3 + 1.959964 * 0.1))
    assert mean_of_figures("x", "y", [dense, dense]).se == pytest.approx(0.1 / math.sqrt(2))


def prepared(path: Path, *rows: tuple[str, str]) -> Path:
    """A parquet file of chartqa rows: (ground truth, type)."""
    extra = [{"index": at, "info": json.dumps({"type": kind})} for at, (_, kind) in enumerate(rows)]
    truths = [{"ground_truth": truth} for truth, _ in rows]
    table = {"data_source": ["chartqa"] * len(rows), "reward_model": truths, "extra_info": extra}
    pq.write_table(pa.table(table), path)
    return path


@pytest.fixture
def validation(tmp_path: Path) -> Path:
    """A validation file whose last line was cut off."""
    records = rows("chartqa", (1, {}), (0, {}))
    for record, truth in zip(records, ("12", "13"), strict=True):
        record |= {"input": "q", "gts": truth}
        del record["info"]
    path = tmp_path / "5.jsonl"
    path.write_text("\n".join([*map(json.dumps, records), '{"row": "char']))
    return path


def test_a_run_is_joined_with_its_rows(validation: Path, tmp_path: Path) -> None:
    rows_file = prepared(tmp_path / "a.parquet", ("12", "human"), ("13", "augmented"))
    figures = benchmark_table(read_validation(validation, [rows_file]))
    assert [(figure.name, figure.value) for figure in figures] == [
        ("all questions", 0.5),
        ("type/augmented", 0.0),
        ("type/human", 1.0),
    ]


def test_rows_of_one_name_in_two_files_are_told_apart_by_their_truth(validation: Path, tmp_path: Path) -> None:
    one = prepared(tmp_path / "a.parquet", ("12", "human"), ("14", "human"))
    other = prepared(tmp_path / "b.parquet", ("11", "augmented"), ("13", "augmented"))
    kinds = [json.loads(record["info"])["type"] for record in read_validation(validation, [one, other])]
    assert kinds == ["human", "augmented"]
    same = prepared(tmp_path / "c.parquet", ("12", "augmented"))
    with pytest.raises(ValueError, match="chartqa/0 stands 2 times"):
        read_validation(validation, [one, same])


def test_rows_that_the_files_lack_are_named(validation: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="chartqa/1"):
        read_validation(validation, [prepared(tmp_path / "a.parquet", ("12", "human"))])


def test_a_broken_line_is_named(validation: Path) -> None:
    validation.write_text("{\n" + validation.read_text())
    with pytest.raises(ValueError, match="line 1"):
        read_validation(validation)


def test_the_table_marks_primary_figures() -> None:
    lines = table([Figure("ocrbench", "total", 911, 1000, 9, 890, 930, 2, True, "points", "why")]).splitlines()
    assert lines[1].split() == ["ocrbench", "*", "total", "911.0", "9.0", "890.0", "to", "930.0", "1000", "2", "why"]
