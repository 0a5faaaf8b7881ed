from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml
from report_run import HOSTILE, TASKS, Page, make_run

from verl_ext.report import write_comparison
from verl_ext.report.__main__ import main
from verl_ext.report.load import labels, load_all
from verl_ext.report.settings import differences

FEW = {task: TASKS[task] for task in ("arithmetic", "digit_box")}
CHARTS = 8
"""of a task or category"""


def edit_config(run: Path, *path: str, value: object) -> None:
    config = yaml.safe_load((run / "config.yaml").read_text())
    block = config
    for key in path[:-1]:
        block = block.setdefault(key, {})
    block[path[-1]] = value
    (run / "config.yaml").write_text(yaml.safe_dump(config))


@pytest.fixture(scope="module")
def original(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_run(tmp_path_factory.mktemp("runs") / "g2rpo", steps=10, rows=4, tasks=FEW)


@pytest.fixture
def two(original: Path, tmp_path: Path) -> list[Path]:
    """The same run twice, under two names."""
    runs = [tmp_path / "g2rpo", tmp_path / "grpo"]
    for run in runs:
        shutil.copytree(original, run)
        edit_config(run, "verl_ext", "run_dir", value=str(run))
    return runs


def compared(runs: list[Path]) -> Page:
    return Page(write_comparison(runs, runs[0].parent / "compare.html")[0].read_text(encoding="utf-8"))


def test_every_task_and_category_has_its_charts_with_a_curve_of_each_run(two: list[Path]) -> None:
    page = compared(two)
    # Of the whole batch: accuracy, reward, throughput, time (the metrics here have no more).
    assert page.count("figure", class_="panel") == 4 + CHARTS * 2 * len(FEW)
    for heading in ("Accuracy on validation", "Whole batch", "Time", "Throughput", "Share of the gradient weight"):
        assert heading in page.text
    curves = [a["style"] for tag, a in page.tags if tag == "polyline" and a.get("class") == "line"]
    assert curves.count("--k:var(--c1)") == curves.count("--k:var(--c2)") > 20


def test_the_table_has_both_ends_of_every_run_with_errors(two: list[Path]) -> None:
    stats = load_all(two)[1].summary["tasks"]["arithmetic"]
    page = compared(two)
    ends = f"{100 * stats['acc_before']:.1f} ± {100 * stats['se_before']:.1f} → {100 * stats['acc_after']:.1f} "
    assert page.text.count(ends) >= 2
    change = f"{100 * (stats['acc_after'] - stats['acc_before']):+.1f} ± {100 * stats['se_diff']:.1f}"
    assert page.text.count(change.replace("-", "−")) >= 2


def test_settings_that_differ_and_no_others(two: list[Path]) -> None:
    edit_config(two[1], "algorithm", "adv_estimator", value="grpo")
    edit_config(two[1], "trainer", "default_local_dir", value=f"{two[1]}/checkpoints")
    edit_config(two[0], "trainer", "default_local_dir", value=f"{two[0]}/checkpoints")
    edit_config(two[0], "data", "val_files", value="same")
    edit_config(two[1], "data", "val_files", value="same")
    edit_config(two[1], "data", "mixed", value=[1, None])
    found = differences(load_all(two))
    assert found.rows == [("algorithm.adv_estimator", ["g2rpo", "grpo"]), ("data.mixed", [None, "[1, null]"])]
    assert found.same > 10


def test_a_run_without_config_is_not_said_to_differ(two: list[Path]) -> None:
    (two[1] / "config.yaml").unlink()
    assert differences(load_all(two)).rows == []
    assert "config.yaml is not there" in compared(two).text


@pytest.mark.parametrize(
    ("paths", "expected"),
    [
        (["a/x", "a/y"], ["x", "y"]),
        (["a/x", "b/x", "b/z"], ["a/x", "b/x", "z"]),
        (["a/x", "a/x"], ["x", "x (2)"]),
        (["a/q/x", "b/q/x", "b/r/x"], ["a/q/x", "b/q/x", "r/x"]),
        (["x", "x (2)", "x"], ["x", "x (2)", "x (3)"]),
    ],
)
def test_labels_differ(paths: list[str], expected: list[str]) -> None:
    roots = [Path("/root") / path for path in paths]
    assert labels(roots, [path.name for path in roots]) == expected


def test_runs_of_one_name_have_the_folders_before_it(original: Path, tmp_path: Path) -> None:
    for seed in ("seed0", "seed1"):
        shutil.copytree(original, tmp_path / seed / "run")
    assert [run.label for run in load_all([tmp_path / "seed0/run", tmp_path / "seed1/run"])] == [
        "seed0/run",
        "seed1/run",
    ]


def test_more_runs_than_colours_are_told_apart_by_dashes(two: list[Path]) -> None:
    page = compared([two[0]] * 8)
    looks = {(a["style"], a.get("class")) for tag, a in page.tags if tag == "i" and a.get("class") in (None, "dashed")}
    assert len(looks) == 8


def test_tasks_of_one_run_alone_and_a_run_still_going(two: list[Path]) -> None:
    path = two[1] / "metrics.jsonl"
    kept = []
    for line in path.read_text().splitlines()[:4]:
        kept.append(
            {k: v for k, v in json.loads(line).items() if not k.startswith(("task/digit", "category/grounding"))}
        )
    path.write_text("".join(json.dumps(each) + "\n" for each in kept) + '{"step": 4, "task/ari')
    for step in (5, 10):
        (two[1] / "validation" / f"{step}.jsonl").unlink()
    page = compared(two)
    assert "step 3 of 10: still going" in page.text
    assert "What is missing in grpo" in page.text
    assert page.count("figure", class_="panel") >= CHARTS * 2 * len(FEW)


def test_hostile_text_is_shown_as_text(original: Path, tmp_path: Path) -> None:
    name = HOSTILE.replace("/", "_").replace("\ud800", "").replace("\0", "")[:60]
    runs = [tmp_path / name, tmp_path / "other"]
    for run in runs:
        shutil.copytree(original, run)
        with (run / "metrics.jsonl").open("a") as file:
            file.write(json.dumps({"step": 11, f"task/{name}/accuracy": 1.0}) + "\n")
    edit_config(runs[0], "algorithm", "adv_estimator", value=HOSTILE)
    page = compared(runs)
    assert page.count("script") == 0
    assert page.count("img") == 0
    assert page.text.count("<script>") >= 4


def test_nothing_of_a_run_in_one_folder_is_an_error_that_names_it(two: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    with pytest.raises(SystemExit, match="empty: nothing to show"):
        main([str(two[0]), str(tmp_path / "empty")])


def test_command_line_writes_compare_html_here(
    two: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    main([str(run) for run in two])
    assert capsys.readouterr().out.strip() == "compare.html"
    main([*map(str, two), "--out", "other.html"])
    assert (tmp_path / "compare.html").read_text() == (tmp_path / "other.html").read_text()
