"""From raw rows to a finished split: what is kept, set aside, resumed and refused."""

from __future__ import annotations

import errno
import json
from io import BytesIO
from pathlib import Path

import datasets
import pyarrow.parquet as pq
import pytest
from PIL import Image

from data_prep import convert
from data_prep import prepare_source as module
from data_prep.convert import Conversion
from data_prep.images import ImageRules
from data_prep.prepare_source import Job, prepare_source
from data_prep.schema import read_row_image
from data_prep.source import Hub, Options, Question, SetAside, Source


def png(color: str = "red", size=(100, 80)) -> bytes:
    buffer = BytesIO()
    Image.new("RGB", size, color).save(buffer, format="PNG")
    return buffer.getvalue()


def questions(row, options):
    """A made-up data set: `say` tells what to do."""
    if row.get("say") == "refuse":
        raise SetAside("it says so", "at length")
    if row.get("say") == "other split":
        return []
    if row.get("say") == "two":
        return [
            Question(text="One?", kind="integer", ground_truth="1"),
            Question(text="Two?", kind="integer", ground_truth="2"),
        ]
    return [Question(
        text="How many?", kind="integer", ground_truth=str(row["answer"]), images=["a.png"], info={"from": row["id"]},
        unverifiable=row.get("say") == "unverifiable", repaired="spaces" if row.get("say") == "repaired" else "",
    )]  # fmt: skip


SOURCE = Source(name="made", title="", splits=("val", "train"), convert=questions, task="chartqa",
                identify=lambda row: row["id"], rows={"val": 10})  # fmt: skip


def job(tmp_path, rows=None, *, split="val", **options) -> Job:
    folder = tmp_path / "input"
    folder.mkdir(exist_ok=True)
    if rows is not None:
        (folder / f"{split}.json").write_text(json.dumps(rows))
        (folder / "a.png").write_bytes(png())
    return Job(**{"source": SOURCE, "options": Options(split=split), "input": folder, **options})


def rows_of(path: Path) -> list[dict]:
    return pq.read_table(path).to_pylist()


def plain(count: int, start: int = 0) -> list[dict]:
    return [{"id": number, "answer": number} for number in range(start, start + count)]


def make(made: Job, out: Path, **options):
    return prepare_source(made, out=out, progress=False, **options)


MIXED = [
    {"id": 0, "answer": 5}, {"id": 1, "answer": 6, "say": "refuse"}, {"id": 2, "say": "two"}, {"id": 3},
    {"id": 5, "say": "other split"}, {"id": 4, "answer": 7, "say": "unverifiable"},
    {"id": 5, "answer": 8, "say": "repaired"},
    {"id": 0, "answer": 9}, {"id": 6, "say": "other split"}, {"id": 7, "answer": ""},
]  # fmt: skip


@pytest.mark.parametrize("split", ["val", "train"])
def test_every_row_ends_somewhere_with_its_reason(tmp_path, split):
    out = tmp_path / "out"
    entry, made = make(job(tmp_path, MIXED, split=split), out)
    rows = rows_of(out / f"{split}.parquet")
    kept = ["5", "1", "2", *(["7"] if split == "val" else []), "8"]
    assert made and [row["reward_model"]["ground_truth"] for row in rows] == kept
    assert [row["extra_info"]["index"] for row in rows] == list(range(len(kept)))
    kept_name = "made" if split == "val" else f"made_{split}"  # a split that is not the first is named
    assert [row["data_source"] for row in rows if row["data_source"] != kept_name] == ["made/unverifiable"] * (
        split == "val"
    )
    aside = [json.loads(line) for line in (out / "set_aside.jsonl").read_text().splitlines()]
    dropped = [("4", "unverifiable: no rule can judge the answer")] if split == "train" else []
    assert [(each["id"], each["reason"]) for each in aside] == [
        ("1", "it says so"), ("3", "column 'answer' is missing"), *dropped, ("0", "duplicate id"),
        ("7", "the row does not fit: ValueError"),
    ]  # fmt: skip
    assert aside[1]["row"] == 3 and aside[1]["file"].endswith(f"{split}.json") and aside[1]["detail"] == "columns: id"
    assert "ground_truth is empty" in aside[-1]["detail"]
    assert (entry["raw_rows"], entry["rows"], entry["skipped"]) == (10, len(kept), 2)
    assert entry["repaired"] == {"spaces": 1} and entry["set_aside"]["it says so"] == 1
    assert not list(out.glob(".parts*")) and not list(out.glob("*.partial"))


def test_a_row_holds_what_verl_and_the_verifier_need(tmp_path):
    make(job(tmp_path, plain(1)), tmp_path / "out")
    row = rows_of(tmp_path / "out" / "val.parquet")[0]
    assert row["prompt"][0]["content"].startswith("<image>How many?\n") and row["ability"] == "chart_vqa"
    assert json.loads(row["extra_info"]["info"]) == {"from": 0} and row["extra_info"]["task"] == "chartqa"
    assert read_row_image(row).size == (100, 80) and row["images"][0]["bytes"] == png()


def test_splits_share_a_folder_and_finished_ones_are_kept(tmp_path):
    out = tmp_path / "out"
    make(job(tmp_path, plain(3)), out)
    make(job(tmp_path, MIXED, split="train"), out)
    before = (out / "val.parquet").stat().st_mtime_ns
    assert not make(job(tmp_path), out)[1] and before == (out / "val.parquet").stat().st_mtime_ns
    manifest = json.loads((out / "manifest.json").read_text())
    assert manifest["source"] == "made" and set(manifest["splits"]) == {"val", "train"}
    make(job(tmp_path, plain(4)), out)
    splits = [json.loads(line)["split"] for line in (out / "set_aside.jsonl").read_text().splitlines()]
    assert len(rows_of(out / "val.parquet")) == 4 and set(splits) == {"train"}, "changed input is read anew"


def test_a_damaged_result_is_made_anew(tmp_path):
    out = tmp_path / "out"
    make(job(tmp_path, plain(3)), out)
    whole = (out / "val.parquet").read_bytes()
    (out / "val.parquet").write_bytes(b"damaged")
    assert make(job(tmp_path), out)[1] and (out / "val.parquet").read_bytes() == whole


@pytest.mark.parametrize("change", [{"limit": 2}, {"max_pixels": 10_000}, {"images": "paths"}])
def test_other_arguments_do_not_overwrite(tmp_path, change):
    out = tmp_path / "out"
    make(job(tmp_path, plain(3)), out)
    with pytest.raises(ValueError, match=rf"holds val made with {next(iter(change))} .*--force"):
        make(job(tmp_path, **change), out)
    assert make(job(tmp_path, **change), out, force=True)[1]


@pytest.mark.parametrize("manifest", ['{"source": "else", "splits": {}}', '{"splits": {"train": {}}}', "{", None])
def test_a_folder_of_something_else_is_not_overwritten(tmp_path, manifest):
    out = tmp_path / "out"
    out.mkdir()
    (out / "val.parquet").write_bytes(b"mine")
    if manifest:
        (out / "manifest.json").write_text(manifest)
    with pytest.raises(ValueError, match="--force to replace it"):
        make(job(tmp_path, plain(1)), out)
    assert (out / "val.parquet").read_bytes() == b"mine"
    assert make(job(tmp_path), out, force=True)[1]


@pytest.mark.parametrize(("limit", "expected"), [(1, ["5"]), (2, ["5", "1"]), (3, ["5", "1", "2"]), (99, None)])
def test_limit_counts_the_rows_that_come_out(tmp_path, limit, expected):
    make(job(tmp_path, MIXED, limit=limit), tmp_path / "out")
    truths = [row["reward_model"]["ground_truth"] for row in rows_of(tmp_path / "out" / "val.parquet")]
    assert truths == (expected or ["5", "1", "2", "7", "8"])


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_goes_on_where_it_was(tmp_path, monkeypatch, error):
    monkeypatch.setattr(module, "PART", 64)
    rows = [*plain(150), {"id": 3, "answer": 1}, {"id": 999, "say": "refuse"}, *plain(100, 200)]
    made = job(tmp_path, rows)
    make(made, tmp_path / "whole")
    asked: list[int] = []

    def failing(at):
        def converted(self, raw):
            asked.append(raw.place)
            if raw.place == at:
                raise error(errno.ENOSPC, "No space left on device")
            return outcome(self, raw)

        return converted

    outcome = Conversion.outcome
    monkeypatch.setattr(Conversion, "outcome", failing(200))
    with pytest.raises(error):
        make(made, tmp_path / "out")
    assert not (tmp_path / "out" / "val.parquet").exists()
    asked.clear()
    monkeypatch.setattr(Conversion, "outcome", failing(-1))
    make(made, tmp_path / "out")
    assert min(asked) == 192, "three parts of 64 were finished"
    entries = [json.loads((tmp_path / name / "manifest.json").read_text()) for name in ("whole", "out")]
    assert entries[0] == entries[1]
    for name in ("val.parquet", "set_aside.jsonl"):
        assert (tmp_path / "whole" / name).read_bytes() == (tmp_path / "out" / name).read_bytes()


def test_stop_names_the_row(tmp_path):
    with pytest.raises(ValueError, match=r"val\.json: row 1 \(id 1\): it says so: at length"):
        make(job(tmp_path, MIXED, stop_on_error=True), tmp_path / "out")


@pytest.mark.parametrize(
    ("rows", "message"),
    [([], "holds no rows"), ([{"id": 1, "say": "other split"}], "none of 1 rows was asked for"),
     ([{"id": 1, "question": "?"}], r"none of 1 rows can be used; .*val\.json: row 0: column 'answer' is missing: "
      "columns: id, question")],
)  # fmt: skip
def test_nothing_usable_is_an_error(tmp_path, rows, message):
    with pytest.raises(ValueError, match=message):
        make(job(tmp_path, rows), tmp_path / "out")
    assert not (tmp_path / "out" / "manifest.json").exists()


def test_a_full_disk_is_not_the_fault_of_a_row(tmp_path, monkeypatch):
    def full(self, image):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(convert.ImageStore, "picture", full)
    with pytest.raises(OSError, match="No space left"):
        make(job(tmp_path, plain(2)), tmp_path / "out")


def test_images_as_paths_are_saved_once(tmp_path):
    out = tmp_path / "out"
    make(job(tmp_path, plain(3), images="paths"), out)
    rows = rows_of(out / "val.parquet")
    assert len(list((out / "images").iterdir())) == 1 and {row["images"][0]["bytes"] for row in rows} == {None}
    assert read_row_image(rows[2]).size == (100, 80)


BOX = Question(
    text="The cat.",
    kind="box",
    ground_truth=[100.0, 200.0, 500.0, 900.0],
    task="refcoco",
    images=[png(size=(640, 480))],
)
POINT = Question(
    text="The cup.", kind="point", ground_truth=[[0, 0], [1, 0], [1, 1]], task="robospatial", images=[png()]
)


@pytest.mark.parametrize(
    ("question", "convention", "info", "words"),
    [
        (BOX, "qwen3_vl", {"box_format": "relative_1000", "width": 640, "height": 480}, "from 0 to 1000"),
        (BOX, "qwen2_5_vl", {"box_format": "pixels", "width": 644, "height": 476}, "pixels of the image of 644 x 476"),
        (POINT, "qwen3_vl", {"point_format": "relative_1000"}, '{"point_2d": [412, 733]}'),
        (POINT, "qwen2_5_vl", {"point_format": "unit"}, "(0.412, 0.733)"),
    ],
)
def test_coordinates_are_asked_as_the_model_gives_them(question, convention, info, words):
    source = Source(name="made", title="", splits=("val",), convert=lambda row, options: [question])
    outcome = Conversion(source, Options(split="val", convention=convention), ImageRules()).outcome(
        module.RawRow("", 0, {})
    )
    row = outcome.rows[0]
    assert json.loads(row["extra_info"]["info"]) == info and words in row["prompt"][0]["content"]


def test_only_the_wanted_categories(tmp_path):
    with pytest.raises(ValueError, match="none of 2 rows was asked for"):
        make(job(tmp_path, plain(2), categories=("grounding",)), tmp_path / "out")


def test_from_the_hub_through_datasets(tmp_path, monkeypatch):
    monkeypatch.setenv("HF_DATASETS_CACHE", str(tmp_path / "cache"))
    features = datasets.Features(
        {"id": datasets.Value("int64"), "answer": datasets.Value("string"), "image": datasets.Image()}
    )
    rows = [{"id": number, "answer": str(number), "image": {"bytes": png(), "path": None}} for number in range(3)]
    folder = tmp_path / "repository"
    (folder / "data").mkdir(parents=True)
    datasets.Dataset.from_list(rows, features=features).to_parquet(
        folder / "data" / "validation-00000-of-00001.parquet"
    )

    def convert_row(row, options):
        return [Question(text="?", kind="integer", ground_truth=row["answer"], images=[row["image"]])]

    source = Source(name="made", title="", splits=("val",), convert=convert_row, task="chartqa",
                    hub=[Hub(id=str(folder), splits={"val": "validation"})])  # fmt: skip
    entry, _ = make(Job(source=source, options=Options(split="val")), tmp_path / "out")
    found = rows_of(tmp_path / "out" / "val.parquet")
    assert [row["reward_model"]["ground_truth"] for row in found] == ["0", "1", "2"]
    assert {row["images"][0]["bytes"] for row in found} == {png()}, "the stored file, not encoded anew"
    assert entry["made_with"]["read"] == {"hub": str(folder), "commit": None}
