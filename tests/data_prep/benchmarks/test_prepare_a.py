"""MMMU to CharXiv from files, through the command line: the files that users have become checked rows."""

import json

import pyarrow.parquet as pq
import pytest
from raw_rows_a import FORMS, MATHVERSE_ROWS, MMMU_ROWS, Form, mathverse

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
    assert [problem for row in rows for problem in row_problems(row, Rules("thinking", None, 1024))] == []


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
