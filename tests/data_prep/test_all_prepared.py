"""What `prepare` makes of every data set goes through verl's own dataset class, alone, listed together and mixed."""

import json
import re
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from omegaconf import OmegaConf

sys.path.insert(0, str(Path(__file__).parent / "benchmarks"))
from prepared import BENCHMARKS, mix_all, prepare_all

from data_prep.__main__ import main
from data_prep.benchmarks import known_names
from data_prep.gold import gold_response
from data_prep.schema import read_row_image
from verl_ext.evaluate import main as evaluate
from verl_ext.tiny_model.build import build_processor
from verl_ext.tiny_model.rows import read_rows, texts_of
from verl_ext.tiny_model.tokenizer import train_tokenizer

NAMES = (*BENCHMARKS, "onethinker", "offline")
LONGEST = 384
"""Tokens of a prompt in the tiny model's tokenizer, which knows few words of these."""


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    return prepare_all(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def processor(files):
    """The tiny model's: its tokenizer learns from the offline rows alone."""
    texts = (text for row in read_rows(files["offline"]) for text in texts_of(row, thinking_tag="thinking"))
    return build_processor(train_tokenizer(texts))


def dataset(paths, processor, cache):
    from verl.utils.dataset.rl_dataset import RLHFDataset

    settings = {"max_prompt_length": LONGEST, "filter_overlong_prompts_workers": None, "cache_dir": str(cache)}
    return RLHFDataset([str(path) for path in paths], processor.tokenizer, OmegaConf.create(settings), processor)


def assert_same(rows, found):
    # verl drops a row whose prompt it cannot build or that is too long, so the count is the proof that it could.
    assert len(found) == len(rows)
    for row, item in zip(rows, found, strict=True):
        (message,) = item["raw_prompt"]
        content, text = message["content"], row["prompt"][0]["content"]
        parts = [{"type": "text", "text": content}] if isinstance(content, str) else content
        assert "".join(part.get("text", f"<{part['type']}>") for part in parts) == text
        images = [part["image"] for part in parts if part["type"] == "image"]
        assert [image.tobytes() for image in images] == [
            read_row_image(row, place).tobytes() for place in range(len(row["images"] or []))
        ]
        videos = [{**part} for part in parts if part["type"] == "video"]
        assert videos == [{"type": "video", **json.loads(video)} for video in row["videos"] or []]
        for name in ("data_source", "ability", "reward_model", "extra_info"):
            assert item[name] == row[name]


def test_all_benchmarks_and_onethinker_are_there():
    assert {*known_names()} == {*NAMES} - {"offline"} and len(BENCHMARKS) == 18


@pytest.mark.parametrize("name", NAMES)
def test_verl_reads_every_row(name, files, processor, tmp_path):
    rows = pq.read_table(files[name]).to_pylist()
    assert_same(rows, dataset([files[name]], processor, tmp_path))


def test_verl_reads_all_files_as_one_list(files, processor, tmp_path):
    rows = [row for path in files.values() for row in pq.read_table(path).to_pylist()]
    assert_same(rows, dataset(files.values(), processor, tmp_path))


def test_verl_reads_the_mixture_and_nothing_is_wrong_with_it(files, processor, tmp_path, capsys):
    mixture = mix_all(files, tmp_path / "mixture")
    rows = pq.read_table(mixture).to_pylist()
    assert {row["extra_info"]["task"] for row in rows} >= {*BENCHMARKS}
    assert {len(row["images"] or []) for row in rows} == {0, 1, 3} and any(row["videos"] for row in rows)
    assert_same(rows, dataset([mixture], processor, tmp_path))
    processor.save_pretrained(tmp_path / "model")
    options = ("--processor", str(tmp_path / "model"), "--max-prompt-length", str(LONGEST), "--workers", "1")
    capsys.readouterr()
    assert main(["check", str(mixture), *options]) == 0
    assert re.search(rf"{len(rows)} rows\n\nnothing wrong", capsys.readouterr().out)


def test_gold_answers_reach_the_top_of_every_benchmarks_table(files, tmp_path):
    """The authors' aggregation finds in the rows what it groups by."""
    answers, figures = tmp_path / "answers.jsonl", tmp_path / "figures.json"
    with answers.open("w") as file:
        for row in (row for path in files.values() for row in pq.read_table(path).to_pylist()):
            place = {"data_source": row["data_source"], "index": row["extra_info"]["index"]}
            file.write(json.dumps({**place, "response": gold_response(row)}) + "\n")
    data = ("--data", *map(str, files.values()), "--out", str(tmp_path / "scored.jsonl"))
    evaluate(["score", str(answers), *data, "--json", str(figures)])
    primary = {each["benchmark"]: each for each in json.loads(figures.read_text()) if each["is_primary"]}
    rows = {name: pq.read_metadata(files[name]).num_rows for name in BENCHMARKS}
    points = {name: rows[name] if primary[name]["unit"] == "points" else 1 for name in BENCHMARKS}
    assert {name: primary[name]["value"] for name in BENCHMARKS} == points
