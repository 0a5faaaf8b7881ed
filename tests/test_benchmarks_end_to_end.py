"""Rows of all 18 benchmarks and of OneThinker through verl's real pipeline without a GPU: `pytest -m e2e`."""

import json
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch

sys.path.insert(0, str(Path(__file__).parent / "data_prep" / "benchmarks"))
sys.path.insert(0, str(Path(__file__).parent / "verl_ext"))
import tiny_qwen2_5
from prepared import BENCHMARKS, mix_all, prepare_all
from test_end_to_end import call, train

from verl_ext.evaluate import main as evaluate
from verl_ext.run_log import read

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(torch.cuda.is_available(), reason="the CPU platform is for machines without a GPU"),
]
RESPONSES = 2


@pytest.fixture(scope="module")
def files(tmp_path_factory) -> dict[str, Path]:
    return prepare_all(tmp_path_factory.mktemp("prepared"))


@pytest.fixture(scope="module")
def mixture(files) -> Path:
    return mix_all(files, files["offline"].parents[1] / "mixture")


@pytest.fixture(scope="module")
def run(files, mixture, tmp_path_factory) -> Path:
    """Validation on all rows of all files, then one step on the mixture, by a model that can do next to nothing."""
    root, run = files["offline"].parents[1], tmp_path_factory.mktemp("run")
    prompts = pq.read_metadata(mixture).num_rows
    call("verl_ext.tiny_model", "--data", root / "offline", "--out", root / "model", "--steps", 2)
    train(
        *(root, run, "+machine=cpu", "+recipe=quickstart", f"verl_ext.run_dir={run}"),
        f"data.train_files={mixture}",
        f"data.val_files=[{','.join(map(str, files.values()))}]",
        *(f"data.train_batch_size={prompts}", "data.max_prompt_length=384", "data.max_response_length=48"),
        f"actor_rollout_ref.actor.ppo_mini_batch_size={prompts}",
        f"actor_rollout_ref.rollout.n={RESPONSES}",
        *(f"trainer.validation_data_dir={run}/validation", "trainer.test_freq=-1", "trainer.save_freq=-1"),
        steps=1,
    )
    return run


@pytest.fixture(scope="module")
def qwen2_5_run(run, files, mixture, tmp_path_factory) -> Path:
    """One step on the mixture by a random Qwen2.5-VL."""
    root, out = files["offline"].parents[1], tmp_path_factory.mktemp("qwen2_5")
    model = tiny_qwen2_5.write(root / "model", out / "model")
    prompts = pq.read_metadata(mixture).num_rows
    train(
        *(root, out, "+machine=cpu", "+recipe=quickstart", f"verl_ext.run_dir={out}", "data.image_patch_size=14"),
        *(f"data.train_files={mixture}", f"data.val_files={mixture}", f"data.train_batch_size={prompts}"),
        *(f"actor_rollout_ref.model.path={model}", f"actor_rollout_ref.actor.ppo_mini_batch_size={prompts}"),
        *("data.max_prompt_length=480", "data.max_response_length=32", f"actor_rollout_ref.rollout.n={RESPONSES}"),
        *("trainer.val_before_train=false", "trainer.test_freq=-1", "trainer.save_freq=-1"),
        steps=1,
    )
    return out


def rows_by_task(path: Path) -> dict[str, int]:
    found: dict[str, int] = {}
    for extra in pq.read_table(path, columns=["extra_info"])["extra_info"].to_pylist():
        found[extra["task"]] = found.get(extra["task"], 0) + 1
    return found


def test_validation_gives_a_figure_for_every_benchmark(run, files):
    before = read(run / "metrics.jsonl")[0]
    assert before["step"] == 0
    for name in BENCHMARKS:
        assert 0 <= before[f"val/task/{name}/accuracy"] <= 1
    assert before["val/failed_rows"] == before["val/unverifiable_rows"] == 0
    lines = [json.loads(line) for line in (run / "validation" / "0.jsonl").read_text().splitlines()]
    expected = [
        f"{row['data_source']}/{row['extra_info']['index']}"
        for path in files.values()
        for row in pq.read_table(path, columns=["data_source", "extra_info"]).to_pylist()
    ]
    assert sorted(line["row"] for line in lines) == sorted(expected)


def test_all_rows_of_the_mixture_are_in_the_step(run, mixture):
    step = read(run / "metrics.jsonl")[1]
    expected = rows_by_task(mixture)
    assert {*expected} > {*BENCHMARKS}
    for task, count in expected.items():
        assert step[f"task/{task}/rows"] == RESPONSES * count
        assert step[f"task/{task}/response_length/mean"] > 0
    assert step["actor/grad_norm"] > 0
    # vLLM saw the prompts that are trained on. All probabilities are small, so their correlation tells more.
    assert step["training/rollout_probs_diff_max"] < 1e-4
    assert step["training/rollout_actor_probs_pearson_corr"] > 0.9999


def test_the_mixture_has_every_kind_of_media(mixture):
    rows = pq.read_table(mixture, columns=["images", "videos"]).to_pylist()
    assert {len(row["images"] or []) for row in rows} == {0, 1, 3}
    videos = [json.loads(video)["video"] for row in rows for video in row["videos"] or []]
    assert {type(video) for video in videos} == {str, list}


def test_qwen2_5_vl_sees_and_trains_on_the_same_prompts(qwen2_5_run, mixture):
    step = read(qwen2_5_run / "metrics.jsonl")[0]
    for task, count in rows_by_task(mixture).items():
        assert step[f"task/{task}/rows"] == RESPONSES * count
    assert step["actor/grad_norm"] > 0
    # vLLM never samples the tokens of pictures, on which this random model would spend a part of its probability.
    assert step["training/rollout_actor_probs_pearson_corr"] > 0.9999


def test_the_table_has_a_line_for_every_benchmark(run, files, capsys):
    evaluate(["table", str(run / "validation" / "0.jsonl"), "--data", *map(str, files.values())])
    shown = capsys.readouterr().out.partition("primary figure")[2]
    assert {line.split()[0] for line in shown.splitlines()[1:]} >= {*BENCHMARKS}


def test_stored_answers_score_as_validation_in_the_run_did(run, files, capsys, tmp_path):
    validation, data = str(run / "validation" / "0.jsonl"), ["--data", *map(str, files.values())]
    evaluate(["table", validation, *data])
    in_the_run = capsys.readouterr().out
    evaluate(["score", validation, *data, "--out", str(tmp_path / "scored.jsonl")])
    assert capsys.readouterr().out == in_the_run
