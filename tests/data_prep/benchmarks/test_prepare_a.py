"""MMMU to CharXiv from files, through the command line: the files that users have become checked rows."""

import json

import pyarrow.parquet as pq
import pytest
from raw_rows_a import FORMS, MATHVERSE_ROWS, MMMU_ROWS, Form, base64_image, mathverse

from data_prep.__main__ import main
from data_prep.check_rows import Rules, row_problems


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_prepare_from_files(form, tmp_path, capsys):
    folder, out = form.write(tmp_path / "input"), tmp_path / "out"
    arguments = ["prepare", form.benchmark, "--input", str(folder), "--out", str(out), "--split", form.split]
    arguments += ["--workers", "1"] + (["--variant", form.variant] if form.variant else [])
    assert main(arguments) == 0, capsys.readouterr().err
    rows = pq.read_table(out / f"{form.split}.parquet").to_pylist()
    truths = [row["reward_model"]["ground_truth"] for row in rows]
    assert truths == [truth if isinstance(truth, str) else json.dumps(truth) for truth in form.truths]
    assert [problem for row in rows for problem in row_problems(row, Rules())] == []


def prepared(benchmark, folder, out, *more):
    assert main(["prepare", benchmark, "--input", str(folder), "--out", str(out), "--workers", "1", *more]) == 0
    (file,) = out.glob("*.parquet")
    return [row["reward_model"]["ground_truth"] for row in pq.read_table(file).to_pylist()]


def test_the_subjects_of_mmmu_lie_in_folders_of_their_own(tmp_path):
    for subject, rows in (("Geography", MMMU_ROWS[:1]), ("Math", MMMU_ROWS[2:3])):
        file = f"{subject}/validation-00000-of-00001.parquet"
        Form("mmmu", "hub", rows, [], "validation", file=file).write(tmp_path / "input")
    assert prepared("mmmu", tmp_path / "input", tmp_path / "out") == ["B", '["24/7", "3.429"]']


def test_both_variants_of_mathverse_in_one_folder(tmp_path):
    text_only = [{**mathverse(5, "A", "Text Only"), "image": None}]
    Form("mathverse", "hub", MATHVERSE_ROWS[:1], [], "testmini", file="testmini.parquet").write(tmp_path / "input")
    Form("mathverse", "hub", text_only, [], "testmini", file="testmini_text_only.parquet").write(tmp_path / "input")
    assert prepared("mathverse", tmp_path / "input", tmp_path / "image") == ["B"]
    assert prepared("mathverse", tmp_path / "input", tmp_path / "text", "--variant", "text_only") == ["A"]


def test_bad_rows_are_set_aside_with_their_reason_and_the_others_kept(tmp_path):
    rows = [*MMMU_ROWS[:1], {**MMMU_ROWS[0], "id": "validation_Geography_8", "answer": "?"}]
    folder = Form("mmmu", "hub", rows, [], "validation").write(tmp_path / "input")
    assert prepared("mmmu", folder, tmp_path / "out") == ["B"]
    (line,) = (tmp_path / "out" / "set_aside.jsonl").read_text().splitlines()
    assert (json.loads(line)["reason"], json.loads(line)["row"]) == ("no answer", 1)


@pytest.mark.parametrize(
    ("benchmark", "files", "option"),
    [
        ("ai2d", {"AI2D_TEST": "mask", "AI2D_TEST_NO_MASK": "no_mask"}, "--variant"),
        ("mathvision", {"MathVision": "test", "MathVision_MINI": "testmini"}, "--split"),
    ],
)
def test_a_folder_with_all_files_of_the_harness_gives_those_that_were_asked_for(benchmark, files, option, tmp_path):
    common = {"index": 0, "question": "?", "A": "x", "B": "y", "choices": "['x', 'y']", "category": "counting"}
    for name, answer in zip(files, "AB", strict=True):
        row = {**common, "answer": answer, "image": base64_image(1)}
        Form(benchmark, "tsv", [row], [], "", file=f"LMUData/{name}.tsv").write(tmp_path)
    for value, answer in zip(files.values(), "AB", strict=True):
        assert prepared(benchmark, tmp_path, tmp_path / "out" / value, option, value) == [answer]


def test_a_variant_that_is_not_there_is_named(tmp_path, capsys):
    row = {"index": 0, "question": "?", "A": "x", "B": "y", "answer": "A", "image": base64_image(1)}
    folder = Form("ai2d", "tsv", [row], [], "test", file="AI2D_TEST.tsv").write(tmp_path / "input")
    arguments = ["prepare", "ai2d", "--input", str(folder), "--out", str(tmp_path / "out"), "--variant", "no_mask"]
    assert main([*arguments, "--workers", "1"]) == 2
    assert "AI2D_TEST_NO_MASK.tsv" in capsys.readouterr().err
