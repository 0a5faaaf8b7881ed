from __future__ import annotations

import argparse
import json
import re
from html.parser import HTMLParser
from io import BytesIO

import pyarrow.parquet as pq
import pytest
from PIL import Image

from data_prep import view
from data_prep.drawing import MAX_IMAGES, MAX_SIDE, Shape, mask_overlay, shapes
from data_prep.offline import TASKS, OfflineSource
from data_prep.schema import make_row, to_table


def png(size: tuple[int, int] = (40, 30)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (9, 9, 9)).save(out, "PNG")
    return out.getvalue()


def row(index: int, **changed) -> dict:
    values = {
        "data_source": "set", "task": "arithmetic", "category": "math_vqa", "index": index, "prompt": "<image>2 x 3?",
        "ground_truth": "6", "info": {}, "images": [png()],
    }  # fmt: skip
    return make_row(**{**values, **changed})


def page(tmp_path, rows, *words: object) -> str:
    pq.write_table(to_table(rows), tmp_path / "a.parquet", row_group_size=5)
    parser = argparse.ArgumentParser()
    view.add_arguments(parser)
    out = tmp_path / "page.html"
    assert view.run(parser.parse_args([str(tmp_path / "a.parquet"), "--out", str(out), *map(str, words)])) == 0
    return out.read_text(encoding="utf-8")


def test_every_task_with_its_images_and_gold_answers(tmp_path):
    rows = [OfflineSource().row("train", index) for index in range(5 * len(TASKS))]
    html = page(tmp_path, rows, "--per-task", 2)
    assert html.count("<article>") == 2 * len(TASKS)
    assert all(f"<h2>{task} <small>{entry.category}</small></h2>" in html for task, entry in TASKS.items())
    assert html.count("<rect ") == 4 and html.count('alt="mask"') == 2
    assert html.count("data:image/") == 2 * len(TASKS) + 2


def test_the_seed_alone_decides_and_all_rows_are_shown_where_there_are_few(tmp_path):
    rows = [row(index) for index in range(30)]
    shown = {seed: re.findall(r"row (\d+) of set</h3>", page(tmp_path, rows, "--seed", seed)) for seed in (0, 1)}
    assert len(shown[0]) == 4 and shown[0] != shown[1]
    assert re.findall(r"row (\d+) of set</h3>", page(tmp_path, rows)) == shown[0]
    assert page(tmp_path, rows, "--per-task", 99).count("<article>") == 30


HOSTILE = "</p><script>alert(1)</script><img src=http://x/y onerror=alert(2)>\"'><svg onload=alert(3)>\u202e\u2066"


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def test_hostile_text_stays_text_and_nothing_is_fetched(tmp_path):
    frames = {"boxes": {HOSTILE: [1, 2, 300, 400]}}
    rows = [
        row(0, data_source=HOSTILE, prompt="<image>" + HOSTILE, ground_truth=HOSTILE, info={HOSTILE: HOSTILE}),
        row(1, task=HOSTILE, ground_truth=frames),
        row(2, task="clip", prompt="<video>", images=None, videos=[HOSTILE]),
    ]
    tags = Tags()
    tags.feed(page(tmp_path, rows))
    assert "script" not in {tag for tag, _ in tags.found}
    assert not [key for _, attributes in tags.found for key in attributes if key.startswith("on")]
    for tag, attributes in tags.found:
        assert tag != "img" or str(attributes["src"]).startswith("data:image/")
        assert tag not in ("link", "iframe", "object") and str(attributes.get("href", "#")).startswith("#")
    policy = next(attributes["content"] for _, attributes in tags.found if "http-equiv" in attributes)
    assert "default-src 'none'" in str(policy)


def test_several_images_none_and_broken_ones(tmp_path):
    many = MAX_IMAGES + 2
    rows = [
        row(0, images=[png()] * many, prompt="<image>" * many),
        row(1, images=None, prompt="2 x 3?"),
        row(2, images=[b"nothing", png((3 * MAX_SIDE, 30))], prompt="<image><image>"),
    ]
    html = page(tmp_path, rows)
    assert html.count('alt="image') == MAX_IMAGES + 1 and "2 more images" in html
    assert "row 2 of set: images[0] cannot be read" in html
    assert f"{3 * MAX_SIDE} × 30" in html and f'width="{MAX_SIDE}"' not in html


def test_pass_rates_and_infos_are_shown_and_long_texts_cut(tmp_path):
    html = page(tmp_path, [row(0, info={"options": ["a", "b"]}, ground_truth="x" * 9000)])
    assert "&#34;options&#34;" in html and "… (9000 characters)" in html and "x" * 4001 not in html
    assert "pass rate" not in html


@pytest.mark.parametrize(
    ("truth", "expected"),
    [
        ("[100, 200, 300, 400]", [Shape("box", (20, 20, 40, 20))]),
        ('{"boxes": [300, 400, 100, 200]}', [Shape("box", (20, 20, 40, 20))]),
        ('{"boxes": {"2.5": [0, 0, 1000, 1000]}}', [Shape("box", (0, 0, 200, 100), "2.5")]),
        ('{"positive_points": [[500, 500]], "negative_points": [[0, 1000]]}',
         [Shape("point", (100, 50)), Shape("outside", (0, 100))]),
        ("[[0, 0], [1, 0], [0.5, 1]]", [Shape("polygon", (0, 0, 200, 0, 100, 100))]),
        ('{"point_2d": [500, 500]}', [Shape("point", (100, 50))]),
        ('{"boxes": "x", "positive_points": 3}', []),
        ('["a", "b", "c", "d"]', []),
        ("[1e999, 0, 1, 1]", []),
        ("[" * 5000, []),
        ("42", []),
        ("", []),
    ],
)  # fmt: skip
def test_shapes(truth, expected):
    assert list(shapes(truth, (200, 100))) == expected


@pytest.mark.parametrize("truth", ["", '{"counts": 1}', '{"size": [2, 2], "counts": [5]}', '{"size": 1, "counts": ""}'])
def test_what_is_no_mask_draws_none(truth):
    assert mask_overlay(truth, (10, 10)) is None


def test_a_mask_covers_its_pixels():
    import base64

    uri = mask_overlay(json.dumps({"size": [2, 2], "counts": [2, 2]}), (20, 20))
    image = Image.open(BytesIO(base64.b64decode(uri.partition(",")[2])))
    alpha = image.getchannel("A")
    assert alpha.getpixel((2, 10)) == 0 and alpha.getpixel((17, 10)) == 128


@pytest.mark.parametrize(
    ("words", "message"),
    [(["--per-task", "0"], "per task is 0"), (["--out", "nowhere/page.html"], "no file in a folder that is there")],
)
def test_bad_usage(tmp_path, words, message):
    with pytest.raises(ValueError, match=message):
        page(tmp_path, [row(0)], *words)
