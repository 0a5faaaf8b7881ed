"""MMMU to CharXiv from files, through the command line: the files that users have become checked rows."""

import json

import pyarrow.parquet as pq
import pytest
from raw_rows_a import FORMS

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
