"""Stored answers in, the table out."""

import json

import pytest

from data_prep.gold import gold_response
from data_prep.offline import OfflineSource
from data_prep.schema import make_row
from data_prep.writer import RowWriter
from verl_ext import evaluate

ROWS = 24


def letter_row(index: int) -> dict:
    return make_row(
        data_source="mmstar", task="mmstar", category="general_vqa", index=index, prompt="Which? A: red, B: blue",
        ground_truth="AB"[index % 2], info={"choices": {"A": "red", "B": "blue"}, "category": "c", "l2_category": "l"},
    )  # fmt: skip


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "val.parquet"
    source = OfflineSource(seed=0)
    rows = [source.row("val", index) for index in range(ROWS)] + [letter_row(index) for index in range(4)]
    with RowWriter(path) as writer:
        for row in rows:
            writer.write(row)
        writer.finish()
        writer.publish()
    return path, rows


def answers(path, rows, response=gold_response):
    with path.open("w") as file:
        for row in rows:
            record = {"data_source": row["data_source"], "index": row["extra_info"]["index"]}
            file.write(json.dumps(record | {"response": response(row)}) + "\n")
    return path


def run(capsys, *arguments) -> str:
    evaluate.main([str(each) for each in arguments])
    return capsys.readouterr().out


def test_gold_answers_score_100_beside_the_paper(prepared, tmp_path, capsys):
    data, rows = prepared
    stored = answers(tmp_path / "answers.jsonl", rows)
    text = run(capsys, "score", stored, "--data", data, "--out", tmp_path / "out.jsonl", "--json", tmp_path / "t.json")
    (line,) = [line for line in text.splitlines() if line.startswith("mmstar") and "73.8" in line]
    assert line.split() == ["mmstar", "100.0", "0.0", "68.5", "73.8"]
    figures = json.loads((tmp_path / "t.json").read_text())
    assert {figure["value"] for figure in figures if figure["is_primary"]} == {1.0}
    assert len((tmp_path / "out.jsonl").read_text().splitlines()) == len(rows)


@pytest.mark.parametrize(("tag", "format_share"), [("think", 1.0), ("thinking", 0.0)])
def test_the_thinking_tag_reaches_the_format(prepared, tmp_path, capsys, tag, format_share):
    data, rows = prepared
    stored = answers(tmp_path / "a.jsonl", rows, lambda row: gold_response(row).replace("thinking>", "think>"))
    run(capsys, "score", stored, "--data", data, "--out", tmp_path / "out.jsonl", "--thinking-tag", tag)
    found = {json.loads(line)["format"] for line in (tmp_path / "out.jsonl").read_text().splitlines()}
    assert found == {format_share}


def test_a_scored_file_gives_the_same_table_again(prepared, tmp_path, capsys):
    data, rows = prepared
    wrong = answers(tmp_path / "a.jsonl", rows, lambda row: "<thinking>x</thinking><answer>A</answer>")
    first = run(capsys, "score", wrong, "--data", data, "--out", tmp_path / "out.jsonl")
    assert run(capsys, "table", tmp_path / "out.jsonl", "--data", data) == first
    assert "mmstar" in first
    assert any(line.startswith("mmstar") and line.split()[1] == "50.0" for line in first.splitlines())


def test_the_papers_figures():
    """Copied once more from arXiv 2604.08539; "-" where it gives none."""
    said = """
        mmmu 60.2 71.6 mmbench 85.1 88.2 mmstar 68.5 73.8 mathvista 74.2 79.5 chartqa 82.8 87.4 charxiv 44.5 53.0
        docvqa - 96.7 ocrbench - 911 infovqa - 86.4 embspatial - 83.1 refspatial 43.9 44.6 robospatial - 63.2
        refcoco - 93.4 refcoco+ - 88.2 refcocog - 90.4
    """
    names, before, after = (said.split()[at::3] for at in range(3))
    found = [tuple(None if one == "-" else float(one) for one in pair) for pair in zip(before, after, strict=True)]
    assert dict(zip(names, found, strict=True)) == evaluate.PAPER


def test_rows_without_an_answer_are_counted(prepared, tmp_path, capsys):
    data, rows = prepared
    stored = answers(tmp_path / "answers.jsonl", rows[:5])
    evaluate.main(["score", str(stored), "--data", str(data), "--out", str(tmp_path / "out.jsonl")])
    assert f"{len(rows) - 5} of {len(rows)} rows have no answer" in capsys.readouterr().err


def test_rows_that_a_validation_lacks_are_counted(prepared, tmp_path, capsys):
    data, rows = prepared
    stored = answers(tmp_path / "answers.jsonl", rows)
    run(capsys, "score", stored, "--data", data, "--out", tmp_path / "out.jsonl")
    evaluate.main(["table", str(tmp_path / "out.jsonl"), "--data", str(data)])
    assert capsys.readouterr().err == ""
    cut = (tmp_path / "out.jsonl").read_text().splitlines(keepends=True)[:-3]
    (tmp_path / "cut.jsonl").write_text("".join(cut) + '{"row": "mms')
    evaluate.main(["table", str(tmp_path / "cut.jsonl"), "--data", str(data)])
    assert f"3 of {len(rows)} rows are not in the validation" in capsys.readouterr().err


def test_answers_to_other_rows_are_refused(prepared, tmp_path):
    data, _ = prepared
    stored = tmp_path / "answers.jsonl"
    stored.write_text(json.dumps({"data_source": "elsewhere", "index": 0, "response": "x"}) + "\n")
    with pytest.raises(SystemExit, match="none of the 1 answers belongs"):
        evaluate.main(["score", str(stored), "--data", str(data), "--out", str(tmp_path / "out.jsonl")])
    assert not (tmp_path / "out.jsonl").exists()
    assert not (tmp_path / "out.jsonl.partial").exists()
