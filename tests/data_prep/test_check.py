from __future__ import annotations

import argparse
import json
from io import BytesIO
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from PIL import Image

from data_prep import check
from data_prep.check_rows import out_of_range
from data_prep.offline import OfflineSource
from data_prep.schema import make_row, to_table

SOURCE = OfflineSource()


def png(colour: int, size: tuple[int, int] = (40, 30)) -> bytes:
    out = BytesIO()
    Image.new("RGB", size, (colour, 0, 0)).save(out, "PNG")
    return out.getvalue()


def row(index: int, **changed) -> dict:
    """A row that is right: 6 by the integer verifier."""
    values = {
        "data_source": "set", "task": "arithmetic", "category": "math_vqa", "index": index, "ground_truth": "6",
        "prompt": "<image>2 x 3?", "info": {}, "images": [png(index)],
    }  # fmt: skip
    return make_row(**{**values, **changed})


def write(path: Path, rows: list[dict]) -> Path:
    pq.write_table(to_table(rows), path, row_group_size=4)
    return path


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    return check.run(parser.parse_args(["--workers", "1", *map(str, words)]))


def found(capsys, *words: object) -> dict:
    code = run(*words, "--json")
    report = json.loads(capsys.readouterr().out)
    assert code == bool(report["problems"])
    return {reason: entry["count"] for reason, entry in report["problems"].items()} | {"report": report}


def test_rows_with_one_two_and_no_images_and_videos_are_fine(tmp_path, capsys):
    rows = [
        *(SOURCE.row("train", index) for index in range(12)),
        row(0),
        row(1, images=[png(1), png(2)], prompt="<image><image>2 x 3?"),
        row(2, images=None, prompt="2 x 3?"),
        row(3, images=None, videos=["a.mp4"], prompt="<video>2 x 3?"),
    ]
    assert run(write(tmp_path / "a.parquet", rows)) == 0
    assert capsys.readouterr().out.endswith("nothing wrong\n")


def broken(index: int, **changed) -> dict:
    """A row that `make_row` would refuse."""
    return {**row(index), **changed}


BAD_PIXELS = png(5)[:-30]
EXTRA = row(9)["extra_info"]
BAD = [
    (broken(9, ability="maths"), "row", "must equal ability"),
    (broken(9, prompt=[]), "row", "prompt has no message"),
    (broken(9, prompt=[{"role": "user", "content": "2 x 3?"}]), "row", "0 <image> for 1 images"),
    (broken(9, prompt=[{"role": "user", "content": "<image><video>"}]), "row", "1 <video> for 0 videos"),
    (broken(9, extra_info={**EXTRA, "info": "[1]"}), "row", "must be a JSON object"),
    (row(9, images=[b"GIF89a nothing"]), "image", "images[0] cannot be read"),
    (row(9, images=[BAD_PIXELS]), "image", "images[0] cannot be read"),
    (broken(9, extra_info={**EXTRA, "task": "arithmetics"}), "task", "nearest: 'arithmetic'"),
    (row(9, ground_truth="six"), "truth", "is not a number"),
    (row(9, task="shape_box", category="grounding", ground_truth=[5, 5, 5, 9]), "truth", "reversed, empty or out"),
    (row(9, task="shape_color", category="general_vqa", ground_truth="<answer>red"), "gold", "format 0"),
    (row(9, task="tracking", category="grounding", ground_truth={"boxes": {"1": [9, 9, 1001, 99]}}), "range", "box [9"),
]


@pytest.mark.parametrize(("bad", "reason", "message"), BAD, ids=[f"{at}-{case[1]}" for at, case in enumerate(BAD)])
def test_every_fault_is_counted_under_its_reason_and_names_file_and_row(tmp_path, capsys, bad, reason, message):
    path = write(tmp_path / "a.parquet", [row(index) for index in range(6)] + [bad])
    problems = found(capsys, path)
    assert problems[reason] == 1
    first = problems["report"]["problems"][reason]["first"][0]
    assert message in first["message"]
    assert (first["file"], first["row"], first["name"]) == (str(path), 6, "row 9 of set")


def test_the_text_report_shows_the_first_rows_of_each_reason(tmp_path, capsys):
    path = write(tmp_path / "a.parquet", [row(index, ground_truth="six") for index in range(8)])
    assert run(path) == 1
    printed = capsys.readouterr().out
    assert "truth: 8 (" in printed and printed.count("is not a number") == check.SHOWN
    assert f"{path}, row 4 (row 4 of set): " in printed and printed.endswith("problems: 8\n")


def test_unverifiable_rows_are_counted_and_no_fault(tmp_path, capsys):
    rows = [row(0), row(1, data_source="set/unverifiable")]
    problems = found(capsys, write(tmp_path / "a.parquet", rows))
    assert problems.pop("report")["unverifiable"] == 1 and not problems


def test_duplicates_within_a_file_only(tmp_path, capsys):
    first = write(tmp_path / "a.parquet", [row(0), row(1), row(1, images=[png(7)]), row(1, data_source="other")])
    second = write(tmp_path / "b.parquet", [row(1, images=[png(9)])])
    problems = found(capsys, first, second, "--val")
    assert problems["duplicate"] == 1
    assert problems["report"]["problems"]["duplicate"]["first"][0]["message"].endswith("as row 1")


def test_images_videos_and_bare_prompts_must_not_leak(tmp_path, capsys):
    text = {"images": None, "prompt": "2  x 3?"}
    clip = {"images": None, "videos": ["a.mp4"], "prompt": "<video>2 x 3?"}
    one = write(tmp_path / "one.parquet", [row(0), row(1), row(2, **text), row(3, **clip)])
    both = [png(99), png(1)]
    rows = [row(5, images=both, prompt="<image><image>?"), row(6, **{**text, "prompt": "2 X 3?"}), row(7, **clip)]
    two = write(tmp_path / "two.parquet", [*rows, row(8, images=[png(98)])])
    assert found(capsys, one, two)["leak"] == 3
    problems = found(capsys, one, "--val", two)
    assert problems["leak"] == 3
    places = [(each["file"], each["row"]) for each in problems["report"]["problems"]["leak"]["first"]]
    assert places == [(str(two), 0), (str(two), 1), (str(two), 2)]
    assert "leak" not in found(capsys, one, two, "--val")


def test_an_image_by_its_path_is_the_image_in_bytes(tmp_path, capsys):
    (tmp_path / "1.png").write_bytes(png(1))
    one = write(tmp_path / "one.parquet", [row(1)])
    two = write(tmp_path / "two.parquet", [row(2, images=[str(tmp_path / "1.png")])])
    assert found(capsys, one, two)["leak"] == 1
    (tmp_path / "1.png").unlink()
    problems = found(capsys, one, two)
    assert problems["image"] == 1 and "leak" not in problems


def test_a_folder_stands_for_its_files(tmp_path, capsys):
    write(tmp_path / "a.parquet", [row(0)])
    write(tmp_path / "b.parquet", [row(0)])
    assert found(capsys, tmp_path)["leak"] == 1


def test_other_columns_are_reported_and_the_other_files_still_checked(tmp_path, capsys):
    one = tmp_path / "one.parquet"
    pq.write_table(to_table([row(0)]).drop_columns("ability").append_column("answer", pa.array(["6"])), one)
    two = write(tmp_path / "two.parquet", [row(0, ground_truth="six")])
    problems = found(capsys, one, two)
    assert (problems["schema"], problems["truth"]) == (2, 1)
    messages = [each["message"] for each in problems["report"]["problems"]["schema"]["first"]]
    assert messages == ["column ability is missing", "column answer is not in the schema"]


def test_cut_off_and_damaged_files_are_named_with_their_rows(tmp_path, capsys):
    cut, damaged = (write(tmp_path / f"{name}.parquet", [row(index) for index in range(12)]) for name in "ab")
    cut.write_bytes(cut.read_bytes()[:-200])
    start = pq.read_metadata(damaged).row_group(1).column(0).data_page_offset
    data = bytearray(damaged.read_bytes())
    data[start : start + 40] = bytes(40)
    damaged.write_bytes(data)
    first = found(capsys, cut, damaged, "--val")["report"]["problems"]["unreadable"]["first"]
    assert "cut off" in first[0]["message"] and f"{damaged}: rows 4 to 7 cannot be read" in first[1]["message"]


@pytest.mark.parametrize(
    ("truth", "message"),
    [
        ('{"boxes": [1, 2, 3, 1000]}', None),
        ('{"boxes": [1, 2, 3, 1000.5]}', "box [1, 2, 3, 1000.5] is reversed, empty or out of 0..1000"),
        ('{"boxes": {"1": [1, 2, 3, 4], "2": [3, 2, 1, 4]}}', "box [3, 2, 1, 4] is reversed, empty or out of 0..1000"),
        ('{"positive_points": [[1, 2], [-1, 2]]}', "point [-1, 2] is out of 0..1000"),
        ("[[0, 0], [1, 0], [0, 1]]", None),
        ("[[0, 0], [1, 0], [0, 2]]", "corner [0, 2] is out of 0..1"),
        ("[1, 2, 3, 4]", None),
        ("[4, 2, 3, 1]", "box [4, 2, 3, 1] is reversed, empty or out of 0..1000"),
        ("[a, b]", None),
        ('["1", "2", "3", "4"]', None),
        ("[0, 8]", None),
        ("Oslo", None),
        ("", None),
    ],
)
def test_places_out_of_range(truth, message):
    assert out_of_range(truth) == message


def test_workers_find_the_same(tmp_path, capsys):
    path = write(tmp_path / "a.parquet", [row(index, ground_truth="six" if index % 3 else "6") for index in range(12)])
    alone = found(capsys, path)["report"]
    parser = argparse.ArgumentParser()
    check.add_arguments(parser)
    assert check.run(parser.parse_args([str(path), "--workers", "2", "--json"])) == 1
    assert json.loads(capsys.readouterr().out) == alone


def test_prompt_lengths_are_those_of_verl(tmp_path, capsys):
    """The same rows pass as in verl's own filter, with images of several sizes, two images and none."""
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    from verl_ext.tiny_model.build import build_processor
    from verl_ext.tiny_model.tokenizer import train_tokenizer

    sizes = [(64, 64), (200, 90), (500, 333), (33, 700)]
    rows = [row(index, images=[png(index, size)]) for index, size in enumerate(sizes)]
    rows += [row(4, images=[png(4), png(5, (300, 300))], prompt="<image>a<image>2 x 3?")]
    rows += [row(5, images=None, prompt="2 x 3? " * 9)]
    path = write(tmp_path / "a.parquet", rows)
    tokenizer = train_tokenizer(each["prompt"][0]["content"] for each in rows)
    processor = build_processor(tokenizer)
    processor.save_pretrained(tmp_path / "model")
    kept = {}
    for limit in (30, 60, 130):
        config = {"max_prompt_length": limit, "filter_overlong_prompts_workers": None, "cache_dir": str(tmp_path)}
        kept[limit] = len(RLHFDataset(str(path), tokenizer, OmegaConf.create(config), processor))
        capsys.readouterr()
        report = found(capsys, path, "--processor", tmp_path / "model", "--max-prompt-length", limit)
        assert len(rows) - report.get("prompt length", 0) == kept[limit]
    assert len(set(kept.values())) == 3


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["absent.parquet"], "absent.parquet is not there"),
        ([".", "--max-prompt-length", "0"], "max prompt length is 0"),
        ([".", "--processor", "."], "--processor . holds no processor"),
        (["."], "holds no parquet file"),
    ],
)
def test_bad_input(tmp_path, monkeypatch, words, message):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=message):
        run(*words)
