from __future__ import annotations

import argparse
import json
from collections import Counter
from io import BytesIO

import pytest
from PIL import Image

from data_prep import stats
from data_prep.offline import TASKS, OfflineSource
from data_prep.schema import make_row
from data_prep.writer import RowWriter


def png(width: int, height: int) -> bytes:
    out = BytesIO()
    Image.new("RGB", (width, height)).save(out, "PNG")
    return out.getvalue()


def write(path, rows):
    with RowWriter(path) as writer:
        for row in rows:
            writer.write(row)
        writer.finish()
        writer.publish()
    return path


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    stats.add_arguments(parser)
    return stats.run(parser.parse_args([*map(str, words)]))


def test_figures_of_a_folder(tmp_path, capsys):
    write(tmp_path / "a.parquet", [OfflineSource().row("train", index) for index in range(12)])
    values = {"task": "arithmetic", "category": "math_vqa", "ground_truth": "6", "info": {}}
    rows = [
        make_row(data_source="b", index=0, prompt="x" * 1000, **values),
        make_row(data_source="b/unverifiable", index=1, prompt="<image><image>", images=[png(9, 7), b"no"], **values),
        make_row(data_source="b", index=2, prompt="<video>", videos=["a.mp4"], **values),
    ]
    write(tmp_path / "b.parquet", rows)
    assert run(tmp_path, "--json") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["rows"], found["unverifiable"], found["unreadable_images"]) == (15, 1, 1)
    assert found["task"] == {"arithmetic": 4} | {name: 1 for name in TASKS if name != "arithmetic"}
    assert found["data_source"]["b"] == 2 and found["category"]["math_vqa"] == 5
    assert found["image_width"]["min"] == 9 and found["image_width"]["median"] == 128
    assert found["images_per_row"] == {"min": 0, "5 %": 0, "median": 1, "95 %": 2, "max": 2}
    assert found["prompt_characters"]["max"] == 1000 and found["videos_per_row"]["max"] == 1
    assert found["ground_truth"]["number"] >= 5 and found["ground_truth"]["mask"] == 1
    assert run(tmp_path) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("15 rows, 1 unverifiable (6.7 %)\n1 images that cannot be read\n")
    assert "  arithmetic                                4   26.7 %" in printed


@pytest.mark.parametrize(
    ("truth", "kind"),
    [
        ("B", "letter"),
        ("yes", "yes or no"),
        ("-1,200.5%", "number"),
        ("Oslo", "text"),
        ("[a, b]", "text"),
        ('["Oslo"]', "list of texts"),
        ("[1, 2, 3, 4.5]", "box"),
        ("[0, 8]", "list"),
        ("[[0, 0], [1, 0], [0, 1]]", "polygon"),
        ('{"size": [1, 1], "counts": "x"}', "mask"),
        ('{"time": [1, 2], "boxes": {}}', "object: boxes, time"),
        ("{not json", "text"),
        ("[]", "text"),
    ],
)
def test_kinds_of_truths(truth, kind):
    assert stats.truth_kind(truth) == kind


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([], {}),
        ([5], {"min": 5, "5 %": 5, "median": 5, "95 %": 5, "max": 5}),
        (range(1, 101), {"min": 1, "5 %": 5, "median": 50, "95 %": 95, "max": 100}),
        ([1] * 99 + [9], {"min": 1, "5 %": 1, "median": 1, "95 %": 1, "max": 9}),
    ],
)
def test_quantiles(values, expected):
    assert stats.quantiles(Counter(values)) == expected


def test_a_file_of_another_schema_is_named(tmp_path):
    (tmp_path / "a.parquet").write_bytes(b"PAR1 and no more")
    with pytest.raises(ValueError, match=r"a\.parquet cannot be read"):
        run(tmp_path)
