"""The images of the shown rows: whose they are, and what is drawn over them."""

from __future__ import annotations

import io
import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image
from report_run import TASKS, Page, make_run

from data_prep.schema import make_row, to_table
from verl_ext.report import write_report
from verl_ext.report.examples import choose_examples
from verl_ext.report.pictures import add_images
from verl_ext.report.run import load_run

FEW = ("arithmetic", "point_to", "digit_box")


def report_of(run: Path) -> str:
    return write_report(run)[0].read_text(encoding="utf-8")


@pytest.fixture
def small(tmp_path: Path) -> Path:
    return make_run(tmp_path / "small", steps=4, rows=4, tasks={task: TASKS[task] for task in FEW})


def replace_images(run: Path, image: bytes) -> None:
    table = pq.read_table(run / "val.parquet")
    images = pa.array([[{"bytes": image, "path": None}]] * len(table), table.schema.field("images").type)
    pq.write_table(table.set_column(table.schema.get_field_index("images"), "images", images), run / "val.parquet")


def write_val(run: Path, rows: list[dict]) -> None:
    pq.write_table(to_table(rows), run / "val.parquet")


def place_row(run: Path, row: dict, answer: str) -> list:
    """What is drawn over the image of `row`, in pixels of 100, for an answer of the last validation."""
    name = f"{row['data_source']}/{row['extra_info']['index']}"
    task, category = row["extra_info"]["task"], row["ability"]
    for step in (0, 2):
        (run / "validation" / f"{step}.jsonl").unlink()
    record = {"row": name, "task": task, "category": category, "acc": 1.0, "gts": row["reward_model"]["ground_truth"]}
    (run / "validation" / "4.jsonl").write_text(
        json.dumps(record | {"output": f"<thinking>t</thinking><answer>{answer}</answer>"}) + "\n"
    )
    write_val(run, [row])
    loaded = load_run(run)
    (example,), _ = choose_examples(loaded)
    add_images(loaded, [example])
    assert not loaded.notices or all("Only the validation" in each for each in loaded.notices)
    return [(shape.whose, shape.kind, [round(at) for at in shape.at]) for shape in example.shapes]


POLYGON = [[0.1, 0.1], [0.5, 0.1], [0.1, 0.5]]
SEGMENT = {"boxes": [0, 0, 500, 500], "positive_points": [[100, 100]], "negative_points": [[900, 900]]}


@pytest.mark.parametrize(
    ("task", "info", "truth", "answer", "expected"),
    [
        ("refcoco", {"box_format": "relative_1000"}, [100, 200, 300, 400], '{"boxes": [0, 0, 500, 500]}',
         [("gold", "box", [10, 20, 20, 20]), ("before", "box", [0, 0, 50, 50])]),
        ("refcoco", {"box_format": "pixels", "width": 200, "height": 400}, [100, 200, 300, 400],
         '{"boxes": [20, 80, 60, 160]}', [("gold", "box", [10, 20, 20, 20]), ("before", "box", [10, 20, 20, 20])]),
        ("refcoco", {"box_format": "pixels", "width": 200, "height": 400}, [100, 200, 300, 400],
         '{"boxes": [0, 0, 999, 999]}', [("gold", "box", [10, 20, 20, 20])]),
        ("robospatial", {"point_format": "unit"}, POLYGON, "(0.2, 0.3)",
         [("gold", "polygon", [10, 10, 50, 10, 10, 50]), ("before", "point", [20, 30])]),
        ("robospatial", {"point_format": "relative_1000"}, POLYGON, '{"point_2d": [200, 300]}',
         [("gold", "polygon", [10, 10, 50, 10, 10, 50]), ("before", "point", [20, 30])]),
        ("segmentation", {}, SEGMENT, json.dumps(SEGMENT | {"boxes": [0, 0, 100, 100]}),
         [("gold", "box", [0, 0, 50, 50]), ("gold", "point", [10, 10]), ("gold", "outside", [90, 90]),
          ("before", "box", [0, 0, 10, 10]), ("before", "point", [10, 10]), ("before", "outside", [90, 90])]),
    ],
)  # fmt: skip
def test_places_are_drawn_in_the_convention_of_the_row(
    small: Path, task: str, info: dict, truth: object, answer: str, expected: list
) -> None:
    category = "spatial_reasoning" if task == "robospatial" else "grounding"
    image = io.BytesIO()
    Image.new("RGB", (100, 100), "white").save(image, "PNG")
    row = make_row(
        data_source=task, task=task, category=category, index=0, info=info, ground_truth=truth, prompt="<image>Where?",
        images=[image.getvalue()],
    )  # fmt: skip
    assert place_row(small, row, answer) == expected
    assert Page(report_of(small)).count("polygon", class_="gold") == (task == "robospatial")


def test_rows_of_two_data_sources_with_one_index_keep_their_own_image(small: Path) -> None:
    """Every benchmark counts its rows from 0."""
    rows = pq.read_table(small / "val.parquet").to_pylist()
    loaded = load_run(small)
    examples, _ = choose_examples(loaded)
    add_images(loaded, examples)
    own = {example.row: (example.image, example.question) for example in examples}
    others = [{**row, "data_source": "other", "images": rows[-1]["images"]} for row in rows]
    write_val(small, [*others, *rows])
    again = load_run(small)
    add_images(again, found := choose_examples(again)[0])
    assert {example.row: (example.image, example.question) for example in found} == own


def test_examples_join_their_image_and_draw_gold_and_answers(tmp_path: Path) -> None:
    run = make_run(tmp_path / "run", steps=4)
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


def test_an_image_that_cannot_be_read_is_named(small: Path) -> None:
    replace_images(small, b"no image")
    page = Page(report_of(small))
    assert page.count("img") == 0
    assert re.search(r"The image of val/\d+ cannot be shown", page.text)


def test_large_images_stay_small(small: Path) -> None:
    noise = Image.fromarray(np.random.default_rng(0).integers(0, 255, (640, 640, 3), dtype=np.uint8))
    out = io.BytesIO()
    noise.save(out, "PNG")
    replace_images(small, out.getvalue())
    page = report_of(small)
    assert "data:image/jpeg" in page
    assert len(page) < 5_000_000
