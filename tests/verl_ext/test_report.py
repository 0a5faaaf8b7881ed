from __future__ import annotations

import io
import json
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from data_prep.schema import SCHEMA, make_row
from verl_ext.report import write_report
from verl_ext.report.__main__ import main
from verl_ext.report.examples import choose_examples
from verl_ext.report.panels import pooled_histogram
from verl_ext.report.pictures import add_images
from verl_ext.report.plots import moving_mean, quantiles, ticks
from verl_ext.report.run import bounds, load_run

# task: category, accuracy before and after, question, envelope
TASKS = {
    "digit_choice": ("general_vqa", 0.31, 0.52, "Which digit is written? A. 3 B. 7 C. 1 D. 9", [4, 8, 40, 80]),
    "shape_color": ("general_vqa", 0.62, 0.71, "What colour is the circle?", [4, 8, 40, 80]),
    "arithmetic": ("math_vqa", 0.40, 0.91, "What is the result?", [8, 24, 70, 110]),
    "digit_sum": ("math_vqa", 0.28, 0.35, "What is the sum of the digits?", [8, 24, 70, 110]),
    "bar_value": ("chart_vqa", 0.22, 0.41, "What is the value of the red bar?", [6, 14, 60, 90]),
    "bar_difference": ("chart_vqa", 0.12, 0.18, "How much higher is the red bar than the blue bar?", [6, 14, 60, 90]),
    "relation": ("spatial_reasoning", 0.45, 0.66, "Where is the red circle? A. left B. right", [4, 8, 40, 80]),
    "point_to": ("spatial_reasoning", 0.51, 0.58, "Point to the green square.", [4, 8, 40, 80]),
    "field_read": ("document", 0.55, 0.61, "What is the city?", None),
    "receipt_total": ("document", 0.20, 0.49, "What is the total?", None),
    "shape_box": ("grounding", 0.48, 0.44, "Give the bounding box of the blue triangle.", [2, 4, 24, 48]),
    "digit_box": ("grounding", 0.38, 0.57, "Give the bounding box of the digit 7.", [2, 4, 24, 48]),
}
HOSTILE = '</pre><script>alert(1)</script><img src="http://evil.example/x.png" onerror=alert(1)>\ud800\x00'


def make_run(run: Path, *, steps: int = 40, rows: int = 12, tasks: dict = TASKS) -> Path:
    """A run folder with the files, names and shapes that training writes. `rows` validation rows a task."""
    rng = np.random.default_rng(0)
    run.mkdir(parents=True, exist_ok=True)
    write_metrics(run, rng, steps, tasks)
    write_rows(run, rng, rows, steps, tasks)
    block = {
        "defaults": {"format_weight": 0.1, "length_weight": 0.1, "structure_weight": 0.1, "envelope": None}
        | {"entropy_band": [0.2, 0.6], "entropy_coeff": 0.02},
        "categories": {"grounding": {"entropy_band": [0.1, 0.5]}},
        "tasks": {task: {"envelope": envelope} for task, (*_, envelope) in TASKS.items() if envelope},
    }
    config = {
        "data": {"val_files": str(run / "val.parquet"), "train_batch_size": 24, "max_response_length": 128},
        "actor_rollout_ref": {
            "model": {"path": "models/tiny"},
            "actor": {"optim": {"lr": 3e-4}, "loss_agg_mode": "seq-mean-token-mean"},
            "rollout": {"n": 8, "temperature": 1.0},
        },
        "algorithm": {"adv_estimator": "g2rpo", "g2rpo": {"zero_signal": "zero"}},
        "trainer": {"total_training_steps": steps},
        "verl_ext": block,
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return run


def write_metrics(run: Path, rng: np.random.Generator, steps: int, tasks: dict) -> None:
    edges = np.linspace(-4, 4, 33)
    records = [{"step": 0, "val-core/overall/acc": 0.3}]
    for step in range(1, steps + 1):
        record = {"step": step, "timing_s/step": 9.0, "timing_s/gen": 4.5 + rng.random(), "timing_s/reward": 0.2}
        record |= {"timing_s/old_log_prob": 1.1, "timing_s/adv": 0.05, "timing_s/update_actor": 2 + 0.3 * rng.random()}
        if step % 20 == 0:
            record |= {"timing_s/save_checkpoint": 3.0, "timing_s/testing": 31.0, "timing_s/step": 12.0}
        shares = rng.dirichlet(np.full(len(tasks), 30.0))
        per_category: dict[str, list[dict]] = {}
        for (task, (category, before, after, _, envelope)), share in zip(tasks.items(), shares, strict=True):
            progress = 1 - np.exp(-3 * step / steps)
            accuracy = float(np.clip(before + (after - before) * progress + rng.normal(0, 0.08), 0, 1))
            length = float((envelope or [0, 20, 30, 0])[1] * (0.7 + 0.9 * progress) + rng.normal(0, 1.5))
            groups = 2
            zero = float(rng.binomial(groups, 0.25)) / groups
            entropy = float(0.75 - 0.4 * progress + rng.normal(0, 0.03))
            sample = np.concatenate([rng.normal(0, 0.9, int(16 * (1 - zero))), np.zeros(int(16 * zero))])
            metrics = {
                "accuracy": accuracy, "reward": 0.1 + 0.85 * accuracy, "format": min(1.0, 0.7 + 0.4 * progress),
                "structure": 0.8 if "box" in task or "point" in task else 0.0, "length_reward": 0.6 * accuracy,
                "response_length/mean": length, "response_length/p95": 1.6 * length,
                "response_length/truncated": 0.01, "entropy": entropy, "entropy_in_band": float(0.2 < entropy < 0.6),
                "advantage/mean": 0.0, "advantage/std": 0.86, "advantage/min": -1.7, "advantage/max": 1.8,
                "zero_signal_groups": zero, "shaping_only_groups": (1 - zero) * 0.2, "groups": groups,
                "token_share": float(share),
                "gradient_weight_share": float((share + 1 / len(tasks)) / 2), "rows": 16,
            }  # fmt: skip
            per_category.setdefault(category, []).append(metrics)
            record |= {f"task/{task}/{key}": value for key, value in metrics.items()}
            counts = np.histogram(sample, edges)[0]
            record[f"task/{task}/advantage/hist"] = {"edges": edges.tolist(), "counts": counts.tolist()}
        for category, parts in per_category.items():
            record |= {f"category/{category}/{key}": float(np.mean([p[key] for p in parts])) for key in parts[0]}
        records.append(record)
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def picture(rng: np.random.Generator, side: int = 128) -> tuple[bytes, list[int]]:
    """A white image with one shape, and the box of the shape, 0-1000."""
    size = side // 3
    x, y = (int(v) for v in rng.integers(0, side - size, 2))
    image = Image.new("RGB", (side, side), "white")
    colour = ("#d33", "#36c", "#2a2", "#e90")[rng.integers(4)]
    draw = ImageDraw.Draw(image)
    (draw.ellipse if rng.integers(2) else draw.rectangle)((x, y, x + size, y + size), fill=colour)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), [round(1000 * v / side) for v in (x, y, x + size, y + size)]


def answers(task: str, box: list[int], right: bool, rng: np.random.Generator) -> tuple[object, str]:
    """(ground truth, an answer that is right or wrong)."""
    shift = 0 if right else int(rng.integers(150, 320))
    moved = [min(v + shift, 1000) for v in box]
    if task.endswith("_box"):
        return box, json.dumps({"boxes": moved})
    if task == "point_to":
        x, y = (moved[0] + moved[2]) // 2, (moved[1] + moved[3]) // 2
        mask = np.zeros((64, 64), dtype=np.uint8)
        mask[slice(*(v * 64 // 1000 for v in box[1::2])), slice(*(v * 64 // 1000 for v in box[::2]))] = 1
        encoded = coco.encode(np.asfortranarray(mask))
        return {"size": [64, 64], "counts": encoded["counts"].decode()}, json.dumps({"point_2d": [x, y]})
    truths = {"general_vqa": ("B", "C"), "math_vqa": ("62", "52"), "chart_vqa": ("48", "30")}
    truth, wrong = truths.get(TASKS[task][0], ("OSLO", "LENA"))
    return truth, truth if right else wrong


def write_rows(run: Path, rng: np.random.Generator, rows: int, steps: int, tasks: dict) -> None:
    """val.parquet, and a validation before, in the middle and at the end."""
    table, dumps, index = [], {0: [], steps // 2: [], steps: []}, 0
    for task, (category, before, after, question, _) in tasks.items():
        for _ in range(rows):
            image, box = picture(rng)
            luck = rng.random()
            for step, dump in dumps.items():
                share = before + (after - before) * step / steps
                right = bool((luck if rng.random() < 0.6 else rng.random()) < share)
                truth, answer = answers(task, box, right, rng)
                output = f"<thinking>{'I look at the image. ' * 3}</thinking><answer>{answer}</answer>"
                dump.append({
                    "input": question, "output": output, "gts": truth if isinstance(truth, str) else json.dumps(truth),
                    "score": float(right), "step": step, "reward": float(right), "acc": float(right),
                    "accuracy": float(right), "format": float(step > 0 or luck < 0.8), "structure": 0.0, "length": 0.5,
                    "response_tokens": 24 + step, "truncated": False, "task": task, "category": category,
                    "row": f"val/{index}",
                })  # fmt: skip
            table.append(
                make_row(
                    data_source=f"offline/{task}", task=task, category=category, index=index, info={},
                    ground_truth=truth,
                    prompt=f"<image>{question} Think in <thinking></thinking>, then answer in <answer></answer>.",
                    images=[image],
                )
            )  # fmt: skip
            index += 1
    pq.write_table(pa.Table.from_pylist(table, schema=SCHEMA), run / "val.parquet")
    for step, dump in dumps.items():
        path = run / "validation" / f"{step}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in dump))


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str, **attributes: str) -> int:
        want = {key.rstrip("_"): value for key, value in attributes.items()}
        return sum(1 for name, have in self.tags if name == tag and want.items() <= have.items())


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


def replace_images(run: Path, image: bytes) -> None:
    table = pq.read_table(run / "val.parquet")
    images = pa.array([[{"bytes": image, "path": None}]] * len(table), table.schema.field("images").type)
    pq.write_table(table.set_column(table.schema.get_field_index("images"), "images", images), run / "val.parquet")


def test_a_finished_run_has_every_part_and_nothing_is_missing(run: Path) -> None:
    path, notices = write_report(run)
    page = Page(path.read_text(encoding="utf-8"))
    assert notices == []
    for heading in ("Accuracy on validation", "At a glance", *(t[0] for t in TASKS.values()), "Examples", "Time"):
        assert heading in page.text
    assert page.count("figure", class_="panel") == 4 + 8 * len(TASKS) + 1
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
    assert page.count("figure") == 29
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
        (unpaired, "step 4 does not have: val/11"),
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


def test_an_image_that_cannot_be_read_is_named(small: Path) -> None:
    replace_images(small, b"no image")
    page = Page(report_of(small))
    assert page.count("img") == 0
    assert re.search(r"The image of val/\d+ cannot be shown", page.text)


def test_an_empty_folder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is it a run folder"):
        write_report(tmp_path)
    with pytest.raises(SystemExit, match="error"):
        main([str(tmp_path / "missing")])


def test_examples_join_their_image_and_draw_gold_and_answers(run: Path) -> None:
    loaded = load_run(run)
    examples, outcomes = choose_examples(loaded)
    add_images(loaded, examples)
    assert sum(sum(counts.values()) for _, counts in outcomes.rows) == 12 * len(TASKS)
    table = {row["extra_info"]["index"]: row for row in pq.read_table(run / "val.parquet").to_pylist()}
    for example in examples:
        row = table[int(example.row.partition("/")[2])]
        assert row["extra_info"]["task"] == example.task
        assert row["prompt"][0]["content"] == "<image>" + example.question
        if example.category == "grounding":
            assert [shape.whose for shape in example.shapes] == ["gold", "before", "after"]
            x1, y1, x2, y2 = json.loads(row["reward_model"]["ground_truth"])
            assert example.shapes[0].at == pytest.approx([v * 0.128 for v in (x1, y1, x2 - x1, y2 - y1)])
        if example.task == "point_to":
            assert example.outline and [shape.kind for shape in example.shapes] == ["point", "point"]
        if example.category == "math_vqa":
            assert not example.shapes and example.outline is None


def test_large_images_stay_small(small: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (640, 640, 3), dtype=np.uint8))
    out = io.BytesIO()
    noise.save(out, "PNG")
    replace_images(small, out.getvalue())
    page = report_of(small)
    assert "data:image/jpeg" in page
    assert len(page) < 5_000_000


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
        "assert not {'verl', 'torch', 'ray', 'matplotlib'} & set(sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(small)], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(small / "report.html")
