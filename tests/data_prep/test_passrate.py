from __future__ import annotations

import argparse
import json

import pyarrow.parquet as pq
import pytest

from data_prep import passrate
from data_prep.schema import make_row
from data_prep.writer import RowWriter


def row(index: int, **changed) -> dict:
    values = {
        "data_source": "set", "task": "arithmetic", "category": "math_vqa", "index": index, "prompt": "2 x 3?",
        "ground_truth": "6", "info": {},
    }  # fmt: skip
    return make_row(**{**values, **changed})


def answer(text: str, index: int, **other) -> dict:
    response = f"<thinking>so</thinking><answer>{text}</answer>"
    return {"data_source": "set", "index": index, "response": response, **other}


@pytest.fixture
def data(tmp_path):
    path = tmp_path / "a.parquet"
    with RowWriter(path) as writer:
        for index in range(5):
            writer.write(row(index))
        writer.write(row(5, data_source="set/unverifiable"))
        for index in range(6, 300):
            writer.write(row(index))
        writer.finish()
        writer.publish()
    return path


ANSWERS = [
    *(answer("6", 0) for _ in range(4)),
    *(answer(text, 1) for text in "6777"),
    *(answer("7", 2) for _ in range(4)),
    {"row": "set/3", "output": "<thinking>so</thinking><answer>6</answer>", "input": "", "acc": 0.0},
    {"row": "set/3", "output": "6, without tags", "acc": 1.0},
    {"data_source": "set", "index": 4, "response": None},
    answer("6", 5, data_source="set/unverifiable"),
    answer("6", 299),
    answer("6", 999),
]


def lines(path, records):
    path.write_text("".join(json.dumps(record) + "\n" for record in records))
    return path


def run(*words: object) -> int:
    parser = argparse.ArgumentParser()
    passrate.add_arguments(parser)
    return passrate.run(parser.parse_args(["--workers", "1", *map(str, words)]))


def rates(path) -> dict[int, float | None]:
    return {each["extra_info"]["index"]: each["pass_rate"] for each in pq.read_table(path).to_pylist()}


def test_rates_by_the_real_verifier_as_a_column(tmp_path, data, capsys):
    """A verdict that stands in a dump does not count: verifiers may have changed since."""
    answers = lines(tmp_path / "answers.jsonl", ANSWERS)
    before = pq.read_table(data).to_pylist()
    assert run(data, "--answers", answers, "--out", tmp_path / "b.parquet", "--json") == 0
    found = rates(tmp_path / "b.parquet")
    assert [found[index] for index in range(7)] == [1.0, 0.25, 0.0, 0.5, None, None, None] and found[299] == 1.0
    figures = json.loads(capsys.readouterr().out)
    assert figures["pass_rate_counts"] == {"0": 1, "0.25": 1, "0.5": 1, "1": 2}
    assert (figures["rows"], figures["written"], figures["rows_without_answers"]) == (300, 300, 294)
    assert (figures["answers"], figures["answers_used"], figures["rows_unverifiable"]) == (17, 16, 1)
    assert figures["answers_without_response"] == 1
    table = pq.read_table(tmp_path / "b.parquet")
    assert table.drop_columns("pass_rate").to_pylist() == before


def test_a_range_is_kept_and_the_column_made_anew(tmp_path, data):
    answers, out = lines(tmp_path / "answers.jsonl", ANSWERS), tmp_path / "b.parquet"
    run(data, "--answers", answers, "--out", out, "--filter", 0.25, 0.5)
    assert rates(out) == {1: 0.25, 3: 0.5}
    later = lines(tmp_path / "later.jsonl", [answer("7", 1)])
    run(out, "--answers", later, "--out", out)
    assert rates(out) == {1: 0.0, 3: None}


def test_several_files_of_answers_and_workers(tmp_path, data):
    files = [lines(tmp_path / f"{number}.jsonl", ANSWERS[number::2]) for number in range(2)]
    run(data, "--answers", *files, "--out", tmp_path / "b.parquet")
    parser = argparse.ArgumentParser()
    passrate.add_arguments(parser)
    words = [data, "--answers", *files, "--out", tmp_path / "c.parquet", "--workers", 2]
    assert passrate.run(parser.parse_args([*map(str, words)])) == 0
    assert rates(tmp_path / "b.parquet") == rates(tmp_path / "c.parquet")


def test_the_threshold(tmp_path, data):
    box = row(0, task="shape_box", category="grounding", ground_truth=[0, 0, 100, 100])
    with RowWriter(data) as writer:
        writer.write(box)
        writer.finish()
        writer.publish()
    # IoU 0.6: a reward of 0.68
    answers = lines(tmp_path / "answers.jsonl", [answer('{"boxes": [0, 0, 100, 60]}', 0)])
    for threshold, rate in ((0.5, 1.0), (0.7, 0.0)):
        run(data, "--answers", answers, "--out", tmp_path / "b.parquet", "--threshold", threshold)
        assert rates(tmp_path / "b.parquet") == {0: rate}


def test_a_cut_off_last_line_is_counted(tmp_path, data, capsys):
    path = lines(tmp_path / "answers.jsonl", ANSWERS[:1])
    path.write_text(path.read_text() + '{"data_source": "set", "ind')
    run(data, "--answers", path, "--out", tmp_path / "b.parquet", "--json")
    assert json.loads(capsys.readouterr().out)["lines_cut_off"] == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("nonsense\n", "answers.jsonl, line 1"),
        ('{"response": "6"}\n', "line 1: says neither data_source and index nor row"),
        ('{"row": "set/1"}\n', "line 1: has neither response nor output"),
        ('{"row": "set/1", "response": 6}\n', "line 1: the response is int"),
        ("[1]\n", "line 1: not a JSON object"),
        ('{"row": "set/77777", "response": "6"}\n', "none of the 1 answers belongs to a row"),
        ("", "none of the 0 answers belongs to a row"),
        ('{"row": "set/2", "response": "<answer>7</answer>"}\n', "no row .* has a pass rate in the range"),
    ],
)
def test_bad_answers(tmp_path, data, content, message):
    (tmp_path / "answers.jsonl").write_text(content)
    words = [data, "--answers", tmp_path / "answers.jsonl", "--out", tmp_path / "b.parquet", "--filter", 0.1, 1]
    with pytest.raises(ValueError, match=message):
        run(*words)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.parquet", "answers.jsonl"]


def test_a_truth_that_the_verifier_cannot_use_names_file_and_row(tmp_path, data):
    with RowWriter(data) as writer:
        writer.write(row(0, ground_truth="six"))
        writer.finish()
        writer.publish()
    answers = lines(tmp_path / "answers.jsonl", [answer("6", 0)])
    for workers in (1, 2):
        with pytest.raises(ValueError, match=r"a\.parquet, row 0: .*row 0 of set.*is not a number"):
            run(data, "--answers", answers, "--out", tmp_path / "b.parquet", "--workers", workers)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--threshold", "0"], "threshold is 0"),
        (["--filter", "1", "0"], "empty range"),
        (["--out", "nowhere/b.parquet"], "the folder is not there"),
        (["--answers", "nowhere.jsonl"], "nowhere.jsonl is not there"),
    ],
)
def test_bad_usage(tmp_path, data, words, message):
    answers = lines(tmp_path / "answers.jsonl", ANSWERS)
    with pytest.raises(ValueError, match=message):
        run(data, "--answers", answers, "--out", tmp_path / "b.parquet", *words)


def test_verl_reads_a_file_with_the_column_beside_one_without(tmp_path, data):
    from omegaconf import OmegaConf
    from verl.utils.dataset.rl_dataset import RLHFDataset

    answers = lines(tmp_path / "answers.jsonl", ANSWERS)
    run(data, "--answers", answers, "--out", tmp_path / "b.parquet")
    config = OmegaConf.create({"filter_overlong_prompts": False, "cache_dir": str(tmp_path / "cache")})
    dataset = RLHFDataset([str(tmp_path / "b.parquet"), str(data)], None, config)
    assert len(dataset) == 600
    assert [dataset[at]["pass_rate"] for at in (0, 1, 4, 300)] == [1.0, 0.25, None, None]
    assert dataset[0]["raw_prompt"] == row(0)["prompt"]
