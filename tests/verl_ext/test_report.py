from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml
from report_run import HOSTILE, TASKS, Page, make_run

from verl_ext.report import write_report
from verl_ext.report.__main__ import main
from verl_ext.report.frame import ticks
from verl_ext.report.panels import _envelope, pooled_histogram, task_panels
from verl_ext.report.plots import moving_mean, quantiles
from verl_ext.report.run import bounds, load_run


def report_of(run: Path) -> str:
    return write_report(run)[0].read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A finished run. Tests that change it make their own."""
    return make_run(tmp_path_factory.mktemp("runs") / "quickstart", steps=16)


@pytest.fixture
def small(tmp_path: Path) -> Path:
    few = {task: TASKS[task] for task in ("arithmetic", "point_to", "digit_box")}
    return make_run(tmp_path / "small", steps=4, rows=4, tasks=few)


def edit_rows(run: Path, step: int, change: dict, row: str = "val/0") -> None:
    path = run / "validation" / f"{step}.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [{**each, **change} if each["row"] == row else each for each in rows]
    path.write_text("".join(json.dumps(each) + "\n" for each in rows))


def test_a_finished_run_has_every_part_and_nothing_is_missing(run: Path) -> None:
    path, notices = write_report(run)
    page = Page(path.read_text(encoding="utf-8"))
    assert notices == []
    for heading in ("Accuracy on validation", "At a glance", *(t[0] for t in TASKS.values()), "Examples", "Time"):
        assert heading in page.text
    assert page.count("figure", class_="panel") == 4 + 8 * len(TASKS) + 2
    assert page.count("article") == 18
    assert page.count("img") >= 18
    assert "full length reward" in page.text and "band" in page.text
    assert path.stat().st_size < 1_000_000


def test_the_page_needs_no_network_and_runs_no_script(run: Path) -> None:
    html = report_of(run)
    page = Page(html)
    assert not re.search(r"https?:|url\(|@import|//[a-z]", re.sub('base64,[^"]*', "", html))
    for tag, attributes in page.tags:
        assert tag not in ("script", "link", "iframe", "object", "embed", "base", "form")
        assert not any(name.startswith("on") for name in attributes)
        for name in ("src", "href"):
            assert attributes.get(name, "#").startswith(("#", "data:image/"))
    policy = next(a["content"] for t, a in page.tags if t == "meta" and "http-equiv" in a)
    assert "default-src 'none'" in policy


def test_the_headline_is_the_summary(run: Path) -> None:
    loaded = load_run(run)
    overall = loaded.summary["overall"]
    text = Page(report_of(run)).text
    assert f"{100 * overall['acc_before']:.1f}" in text and f"{100 * overall['acc_after']:.1f}" in text
    assert overall["n"] == 12 * len(TASKS)


@pytest.mark.parametrize("field", ["output", "input", "gts", "row", "task", "category"])
def test_hostile_text_is_shown_as_text(small: Path, field: str) -> None:
    text = HOSTILE + "/0" * (field == "row")
    for step in (0, 2, 4):
        edit_rows(small, step, {field: text, "acc": float(step > 0)})
    (small / "val.parquet").unlink()
    page = Page(report_of(small))
    assert page.count("script") == 0
    assert all(a["src"].startswith("data:") for t, a in page.tags if t == "img")
    assert "<script>alert(1)</script>" in page.text


def test_hostile_metric_and_config_names_are_shown_as_text(small: Path) -> None:
    name = "<b onclick=alert(1)>"
    with (small / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 5, f"task/{name}/accuracy": 1.0, f"category/{name}/accuracy": 1.0}) + "\n")
    config = yaml.safe_load((small / "config.yaml").read_text())
    config["actor_rollout_ref"]["model"]["path"] = name
    (small / "config.yaml").write_text(yaml.safe_dump(config))
    page = Page(report_of(small))
    assert page.count("b", onclick="alert(1)") == 0
    assert page.text.count(name) >= 3


def test_long_answers_are_cut(small: Path) -> None:
    edit_rows(small, 4, {"output": "<answer>" + "x" * 10_000_000})
    html = report_of(small)
    assert len(html) < 1_000_000
    assert "(10,000,008 characters in all)" in html


def test_a_run_that_is_still_going(small: Path) -> None:
    """Metrics with a torn line, one validation: the page says so and shows the rest."""
    for step in (2, 4):
        (small / "validation" / f"{step}.jsonl").unlink()
    path = small / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True)
    path.write_text("".join(lines[:3]) + lines[3][:100])
    page = Page(report_of(small))
    for expected in (
        "step 2 of 4: still going",
        "metrics.jsonl: 1 line(s) cut off or without a step, left out (line 4)",
        "Only the validation of step 0 is there",
    ):
        assert expected in page.text
    assert page.count("figure") == 30
    assert page.count("article") > 0


def test_a_run_that_has_only_validated(small: Path) -> None:
    for step in (2, 4):
        (small / "validation" / f"{step}.jsonl").unlink()
    (small / "metrics.jsonl").write_text('{"step": 0, "val-core/acc": 0.5}\n')
    page = Page(report_of(small))
    assert "no step with figures per task yet" in page.text
    assert page.count("figure") == 0
    assert page.count("article") > 0


@pytest.mark.parametrize(
    ("missing", "notice", "still"),
    [
        ("metrics.jsonl", "metrics.jsonl is not there yet", "Accuracy on validation"),
        ("config.yaml", "config.yaml is not there", "Advantage quantiles"),
        ("val.parquet", "val.parquet (data.val_files) is not there", "became right"),
        ("validation", "No validation yet", "Advantage quantiles"),
    ],
)
def test_what_is_missing_is_said(small: Path, missing: str, notice: str, still: str) -> None:
    if missing == "validation":
        for path in (small / missing).iterdir():
            path.unlink()
    else:
        (small / missing).unlink()
    page = Page(report_of(small))
    assert notice in page.text
    assert still in page.text


def torn_validation(run: Path) -> None:
    path = run / "validation" / "4.jsonl"
    path.write_text(path.read_text()[:-40])


def unpaired(run: Path) -> None:
    path = run / "validation" / "4.jsonl"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))


def broken_parquet(run: Path) -> None:
    (run / "val.parquet").write_bytes(b"PAR1")


def broken_yaml(run: Path) -> None:
    (run / "config.yaml").write_text("a: [")


def odd_metrics(run: Path) -> None:
    record = {
        "step": 5,
        "task/arithmetic/accuracy": None,
        "task/arithmetic/entropy": float("nan"),
        "timing_s/step": "x",
    }
    record["task/arithmetic/advantage/hist"] = {"edges": [0, "x"], "counts": [1]}
    with (run / "metrics.jsonl").open("a") as file:
        file.write(json.dumps(record) + "\n[1, 2]\n")


@pytest.mark.parametrize(
    ("damage", "notice"),
    [
        (torn_validation, "cut off"),
        (unpaired, "step 4 lacks 1 rows, left out: val/11"),
        (broken_parquet, "cannot be read, its images are left out"),
        (broken_yaml, "config.yaml cannot be read"),
        (odd_metrics, "1 line(s) cut off or without a step"),
    ],
)
def test_damage_is_said_and_the_rest_shown(small: Path, damage, notice: str) -> None:
    damage(small)
    text = Page(report_of(small)).text
    assert notice in text
    assert "Advantage quantiles" in text


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is it a run folder"):
        write_report(tmp_path)
    with pytest.raises(SystemExit, match="error"):
        main([str(tmp_path / "missing")])


def test_the_more_specific_setting_wins(run: Path) -> None:
    loaded = load_run(run)
    loaded.config["verl_ext"]["tasks"]["digit_box"]["entropy_coeff"] = 0.5
    box, city = loaded.settings("digit_box", "grounding"), loaded.settings("field_read", "document")
    assert (box["entropy_band"], box["entropy_coeff"], box["envelope"]) == ([0.1, 0.5], 0.5, [2, 4, 24, 48])
    assert (city["entropy_band"], city["entropy_coeff"], city["envelope"]) == ([0.2, 0.6], 0.02, None)


def test_a_step_computed_again_after_a_resume_counts_once(small: Path) -> None:
    with (small / "metrics.jsonl").open("a") as file:
        file.write(json.dumps({"step": 3, "task/arithmetic/accuracy": 0.125}) + "\n")
    steps, values = load_run(small).series("task/arithmetic/accuracy")
    assert steps.tolist() == [1, 2, 3, 4]
    assert values[2] == 0.125


def test_histograms_are_pooled_over_equal_edges(small: Path) -> None:
    run = load_run(small)
    run.metrics = [
        {"step": step, "h": {"edges": edges, "counts": counts}}
        for step, (edges, counts) in enumerate([([0, 1], [7]), ([0, 1, 2], [1, 2]), ([0, 1, 2], [3, 4])])
    ]
    edges, counts, steps = pooled_histogram(run, "h")
    assert (edges.tolist(), counts.tolist(), steps) == ([0, 1, 2], [4, 6], 2)


def test_quantiles_of_a_normal_sample_lie_on_the_diagonal() -> None:
    edges = np.linspace(-4, 4, 33)
    counts = np.histogram(np.random.default_rng(0).normal(size=100_000), edges)[0]
    svg = quantiles(edges, counts, colour="c1", label="q")
    dots = np.array([[float(x), float(y)] for x, y in re.findall(r'cx="([\d.]+)" cy="([\d.]+)"', svg)])
    across, down = dots[:, 0] - 38, 148 - dots[:, 1]
    middle = slice(4, -4)
    assert across[middle] / 248 == pytest.approx(down[middle] / 141, abs=0.01)


@pytest.mark.parametrize(
    ("low", "high", "whole", "expected"),
    [
        (0, 1, False, [0, 0.25, 0.5, 0.75, 1]),
        (0, 40, True, [0, 10, 20, 30, 40]),
        (0, 3, True, [0, 1, 2, 3]),
        (-3.2, 3.2, False, [-2, 0, 2]),
        (0, 0.003, False, [0, 0.001, 0.002, 0.003]),
    ],
)
def test_ticks_are_round(low: float, high: float, whole: bool, expected: list[float]) -> None:
    assert ticks(low, high, 4, whole=whole) == pytest.approx(expected)


def test_moving_mean_keeps_a_line_and_the_ends() -> None:
    assert moving_mean(np.full(30, 0.3)) == pytest.approx(np.full(30, 0.3))
    assert moving_mean(np.array([0.0, 3.0, 6.0, 9.0])) == pytest.approx([1.5, 3, 6, 7.5])


@pytest.mark.parametrize("value", [None, [1, 2, 3], [4, 3, 2, 1], [1, 2, 3, "x"], [1, 2, 3, float("inf")], "1234"])
def test_bounds_that_are_none(value) -> None:
    assert bounds(value, 4) is None


def test_command_line_needs_nothing_of_verl(small: Path) -> None:
    code = (
        "import sys; from verl_ext.report.__main__ import main; main([sys.argv[1]]);"
        "assert not {'verl', 'torch', 'ray', 'matplotlib', 'tensorboard'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(small)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(small / "report.html")


def set_metrics(run: Path, values: dict) -> None:
    """Add metrics (step → value) to the steps after the first."""
    path = run / "metrics.jsonl"
    records = [json.loads(line) for line in path.read_text().splitlines()]
    added = [{**each, **({k: f(each["step"]) for k, f in values.items()} if each["step"] else {})} for each in records]
    path.write_text("".join(json.dumps(each) + "\n" for each in added))


def test_a_moving_envelope_is_drawn_in_place_of_the_configured_one(small: Path) -> None:
    bounds_4 = {"min_start": 4, "peak_start": 10, "peak_end": 40, "max_end": 60}
    set_metrics(
        small, {f"task/arithmetic/envelope/{k}": (lambda step, v=v: v + 2.0 * step) for k, v in bounds_4.items()}
    )
    run = load_run(small)
    peak, *_ = _envelope(run, "task/arithmetic", [8, 24, 70, 110])
    assert (peak.low.tolist(), peak.high.tolist()) == ([12, 14, 16, 18], [42, 44, 46, 48])
    panel = next(p for p in task_panels(run, "arithmetic", "math_vqa") if p.title == "Response length")
    assert panel.svg.count("<polygon") == 3 and "<rect" not in panel.svg


def test_a_moving_coefficient_gets_a_chart_and_a_constant_one_a_note(small: Path) -> None:
    set_metrics(small, {"task/arithmetic/entropy_coeff": lambda step: 0.01 * step})
    set_metrics(small, {"task/point_to/entropy_coeff": lambda step: 0.02})
    run = load_run(small)
    moving = {panel.title: panel for panel in task_panels(run, "arithmetic", "math_vqa")}
    constant = {panel.title: panel for panel in task_panels(run, "point_to", "spatial_reasoning")}
    assert "Entropy coefficient" in moving and "coefficient" not in moving["Entropy"].note
    assert "Entropy coefficient" not in constant and "coefficient 0.02" in constant["Entropy"].note


def test_tasks_have_their_category_before_the_first_validation(small: Path) -> None:
    for path in (small / "validation").iterdir():
        path.unlink()
    assert load_run(small).category_of()["point_to"] == "spatial_reasoning"


def test_a_task_may_have_a_slash_in_its_name(small: Path) -> None:
    set_metrics(small, {"task/openai/gsm8k/rows": lambda step: 8, "task/openai/gsm8k/entropy": lambda step: 0.3})
    run = load_run(small)
    assert "openai/gsm8k" in run.names("task") and "openai" not in run.names("task")
