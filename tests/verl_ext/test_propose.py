from __future__ import annotations

import json

import pytest
import yaml
from omegaconf import OmegaConf

from verl_ext import propose
from verl_ext.config import load


def write_run(run, *, steps=20, correct=30, limit=400):
    (run / "validation").mkdir(parents=True)
    (run / "config.yaml").write_text(yaml.safe_dump({"data": {"max_response_length": limit}}))
    entries = [
        {
            "step": step,
            "task/long/entropy": 0.4 if step < 10 else 1.4,
            "task/long/response_length/mean": 100.0,
            "task/long/response_length/p95": 300.0,
            "task/none/entropy": None,
            "category/math_vqa/entropy": 9.0,
        }
        for step in range(1, steps + 1)
    ]
    (run / "metrics.jsonl").write_text("".join(json.dumps(entry) + "\n" for entry in entries))
    rows = [{"task": "right", "accuracy": 1.0, "response_tokens": 40.0, "truncated": False}] * correct
    rows += [{"task": "right", "accuracy": 0.0, "response_tokens": 399.0, "truncated": False}] * 50
    rows += [{"task": "right", "accuracy": 1.0, "response_tokens": 400.0, "truncated": True}] * 50
    rows += [{"input": "a line of a run without token counts"}]
    (run / "validation" / "0.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return run


def test_envelopes_come_from_correct_lengths_and_bands_from_the_first_steps(tmp_path):
    got = propose.propose(write_run(tmp_path / "run"))
    assert got["right"].envelope == [20, 30, 50, 60]
    assert (got["right"].source, got["right"].lengths) == ("30 correct", (40.0, 40.0, 40.0))
    assert got["right"].band is None
    assert got["long"].band == [0.2, 0.6]
    assert got["long"].entropy == (0.4, 1.4)


def test_with_few_correct_responses_the_training_mean_stands_in(tmp_path):
    got = propose.propose(write_run(tmp_path / "run", correct=19))
    assert got["long"].envelope == [50, 75, 125, 300]
    assert "right" in got and got["right"].envelope is None


def test_no_envelope_goes_beyond_the_longest_response(tmp_path):
    assert propose.propose(write_run(tmp_path / "run", limit=110))["long"].envelope == [50, 75, 110, 110]


def test_the_length_that_the_run_s_envelopes_counted_is_taken_where_it_is_there(tmp_path):
    run = write_run(tmp_path / "run", correct=0)
    row = {"task": "right", "accuracy": 1.0, "response_tokens": 40, "length_tokens": 20, "truncated": False}
    (run / "validation" / "7.jsonl").write_text((json.dumps(row) + "\n") * 20)
    assert propose.propose(run)["right"].envelope == [10, 15, 25, 30]


def test_what_is_written_is_a_configuration_that_loads(tmp_path, capsys):
    propose.main([str(write_run(tmp_path / "run")), "--out", str(tmp_path / "recipe" / "mine.yaml")])
    written = (tmp_path / "recipe" / "mine.yaml").read_text()
    settings = load(OmegaConf.to_container(OmegaConf.create(written)).get("verl_ext"))
    assert settings.for_task("long", "math_vqa").entropy_band == (0.2, 0.6)
    shown = capsys.readouterr().out
    assert "'++verl_ext.tasks={right:{envelope:[20,30,50,60]}}'" in shown
    assert written in shown


def test_overrides_pass_hydra(tmp_path, compose_config):
    found = propose.propose(write_run(tmp_path / "run"))
    lines = propose.overrides(found | {"refcoco+": found["long"]})
    config = compose_config("actor_rollout_ref.model.path=none", *(line.strip("'") for line in lines))
    assert config.verl_ext.tasks == {
        "right": {"envelope": [20, 30, 50, 60]},
        "long": {"envelope": [50, 75, 125, 300], "entropy_band": [0.2, 0.6]},
        "refcoco+": {"envelope": [50, 75, 125, 300], "entropy_band": [0.2, 0.6]},
    }


def test_a_folder_that_is_no_run_is_an_error(tmp_path):
    with pytest.raises(SystemExit, match="is it a run folder"):
        propose.main([str(tmp_path)])


def test_the_band_holds_what_single_first_steps_showed(tmp_path):
    run = write_run(tmp_path / "run")
    entropies = [0.43, 0.24, 0.32, 0.12, 0.28] + [0.01] * 10
    lines = [json.dumps({"step": step, "task/long/entropy": value}) for step, value in enumerate(entropies, start=1)]
    (run / "metrics.jsonl").write_text("\n".join(lines) + "\n")
    assert propose.propose(run)["long"].band == [0.07, 0.61]  # 0.5 x 0.144 and 1.5 x 0.408
