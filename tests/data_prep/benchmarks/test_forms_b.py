"""EmbSpatial-Bench to RefCOCOg: every form of the data becomes the same questions, whose golds score 1."""

import json

import pyarrow.parquet as pq
import pytest
from raw_rows_b import FORMS

from data_prep.__main__ import main
from data_prep.benchmarks import find_source
from data_prep.gold import gold_response
from reward_fns.registry import TASKS
from reward_fns.score import compute_score

KEYS = {
    "embspatial": {"relation", "choices"},
    "refspatial": {"split", "point_format"},
    "robospatial": {"category", "kind"},
    "docvqa": set(),
    "infovqa": set(),
    "ocrbench": {"question_type"},
    "refcoco": {"split", "width", "height", "box_format"},
    "refcoco+": {"split", "width", "height", "box_format"},
    "refcocog": {"split", "width", "height", "box_format"},
}
"""What the verifiers and the tables of `reward_fns.aggregate` read."""

PLACES = {name for name in KEYS if name.startswith("ref")} | {"robospatial"}
"""Those that ask for coordinates."""


def prepared(form, tmp_path, *more):
    """The rows that the command line makes of the form's files."""
    source = form.write(tmp_path / "input")
    arguments = ["--split", form.split, "--input", str(source), "--out", str(tmp_path / "out"), "--workers", "1", *more]
    assert main(["prepare", form.benchmark, *arguments]) == 0
    return pq.read_table(tmp_path / "out" / f"{form.split}.parquet").to_pylist()


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_every_form_gives_its_truths_and_golds_score_one(form, tmp_path):
    rows = prepared(form, tmp_path)
    assert len(rows) == len(form.truths)
    for row, expected in zip(rows, form.truths, strict=True):
        truth, extra = row["reward_model"]["ground_truth"], row["extra_info"]
        if expected is not None:
            assert (truth if isinstance(expected, str) else json.loads(truth)) == expected
        assert set(json.loads(extra["info"])) >= KEYS[form.benchmark]
        result = compute_score(row["data_source"], gold_response(row), truth, extra)
        assert result["acc"] == result["format"] == 1 and result["accuracy"] == pytest.approx(1, abs=1e-9), truth


@pytest.mark.parametrize("form", [form for form in FORMS if form.benchmark in PLACES], ids=lambda form: form.id)
def test_golds_score_one_in_the_pixels_of_qwen2_5_vl_too(form, tmp_path):
    for row in prepared(form, tmp_path, "--convention", "qwen2_5_vl"):
        truth, info = row["reward_model"]["ground_truth"], json.loads(row["extra_info"]["info"])
        prompt = row["prompt"][0]["content"]
        if "box_format" in info:
            assert info["box_format"] == "pixels" and "pixels of the image" in prompt
        elif "point_format" in info:
            assert info["point_format"] == "unit" and "decimals from 0 to 1" in prompt
        result = compute_score(row["data_source"], gold_response(row), truth, row["extra_info"])
        assert result["acc"] == 1 and result["accuracy"] == pytest.approx(1, abs=1e-9)


@pytest.mark.parametrize("name", KEYS)
def test_sources_say_what_the_command_line_needs(name):
    source = find_source(name)
    assert source.name == name and source.task in TASKS
    assert set(source.rows) <= set(source.splits) and source.splits[0] in source.rows
    assert all(hub.variant is None or hub.variant in source.variants for hub in source.hub)
    assert all(set(hub.splits) <= set(source.splits) for hub in source.hub)
