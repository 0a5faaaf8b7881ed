"""verl's real pipeline (Ray, TransferQueue, vLLM, FSDP2) for a few steps without a GPU: `pytest -m e2e`."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pyarrow.parquet as pq
import pytest
import torch
from transformers import AutoModelForImageTextToText, AutoProcessor

from data_prep.schema import read_row_image
from examples.kill_and_resume import ENVIRONMENT, TOLERANCE, difference, last_step, until_killed
from verl_ext.run_log import read

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(torch.cuda.is_available(), reason="the CPU platform is for machines without a GPU"),
]
PROMPTS, RESPONSES, VALIDATION = 6, 4, 24


def call(*command: object) -> None:
    environment = {**os.environ, **ENVIRONMENT}
    done = subprocess.run([sys.executable, "-m", *map(str, command)], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-6000:]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    """Folder with a small data set and a model that has barely been trained."""
    root = tmp_path_factory.mktemp("prepared")
    call("data_prep", "prepare", "offline", "--out", root / "data", "--train", 480, "--val", VALIDATION)
    call("verl_ext.tiny_model", "--data", root / "data", "--out", root / "model", "--steps", 40)
    return root


def training(prepared: Path, run: Path, *overrides: str, steps: int, module: str = "verl_ext.main_ppo") -> list[str]:
    return [
        *(sys.executable, "-m", module),
        f"data.train_files={prepared}/data/train.parquet",
        f"data.val_files={prepared}/data/val.parquet",
        f"data.train_batch_size={PROMPTS}",
        "data.max_prompt_length=256",
        "data.max_response_length=64",
        f"actor_rollout_ref.model.path={prepared}/model",
        f"actor_rollout_ref.actor.ppo_mini_batch_size={PROMPTS}",
        f"actor_rollout_ref.rollout.n={RESPONSES}",
        f"trainer.total_training_steps={steps}",
        "trainer.logger=[]",
        f"trainer.default_local_dir={run}/checkpoints",
        *overrides,
    ]


def train(prepared: Path, run: Path, *overrides: str, steps: int, module: str = "verl_ext.main_ppo") -> None:
    command = training(prepared, run, *overrides, steps=steps, module=module)
    call("verl_ext.supervise", "--run", run, "--steps", steps, "--minutes", 10, "--", *command)


@pytest.fixture(scope="module")
def killed_run(prepared, tmp_path_factory) -> tuple[Path, dict]:
    """Killed in its fourth step, with a checkpoint after the second, then resumed from there to the end of the fourth;
    and the metrics of the third step as they were before."""
    run = tmp_path_factory.mktemp("run")
    ours = (
        *("+machine=cpu", "+recipe=quickstart", f"verl_ext.run_dir={run}"),
        *(f"trainer.validation_data_dir={run}/validation", "trainer.test_freq=4"),
        *("verl_ext.sampling.base=equal", "verl_ext.sampling.by_need=true"),
    )
    command = training(prepared, run, *ours, "trainer.save_freq=2", steps=4)
    assert until_killed(command, run, minutes=10, killed=lambda: last_step(run) == 3)
    before = read(run / "metrics.jsonl")[-1]
    train(prepared, run, *ours, "trainer.save_freq=-1", "trainer.val_before_train=false", steps=4)
    return run, before


@pytest.fixture(scope="module")
def resumed_run(killed_run) -> Path:
    return killed_run[0]


def test_a_resumed_run_repeats_the_step_after_its_checkpoint(killed_run):
    run, before = killed_run
    gap, name = difference(before, read(run / "metrics.jsonl")[3])
    assert gap <= TOLERANCE, name


def test_steps_are_complete_after_a_resume(resumed_run):
    assert [entry["step"] for entry in read(resumed_run / "metrics.jsonl")] == [0, 1, 2, 3, 4]
    log = (resumed_run / "train.log").read_text()
    assert "Resuming from" in log
    assert "(EngineCore pid=" in log and "(Worker pid=" not in log, "vLLM's worker has a process of its own"


def test_metrics_per_task(resumed_run):
    last = read(resumed_run / "metrics.jsonl")[-1]
    tasks = {key.split("/")[1] for key in last if key.startswith("task/")}
    assert sum(last[f"task/{task}/rows"] for task in tasks) == PROMPTS * RESPONSES
    assert sum(last[f"task/{task}/token_share"] for task in tasks) == pytest.approx(1)
    for task in tasks:
        assert last[f"task/{task}/entropy"] > 0
        assert last[f"task/{task}/advantage/hist"]["counts"]
    assert "actor/entropy_band_loss" in last
    # vLLM's probabilities are those of FSDP: rollouts are of the weights that are trained.
    assert last["training/rollout_probs_diff_max"] < 1e-3


def test_validation_rows_pair(resumed_run):
    ends = [(resumed_run / "validation" / f"{step}.jsonl").read_text().splitlines() for step in (0, 4)]
    first, last = ({json.loads(line)["row"] for line in lines} for lines in ends)
    assert first == last
    assert len(first) == VALIDATION


def test_summary_and_report(resumed_run):
    call("verl_ext.report", resumed_run)
    call("verl_ext.summary", resumed_run)
    overall = json.loads((resumed_run / "summary.json").read_text())["overall"]
    assert overall["n"] == VALIDATION
    assert set(overall) == {"n", "acc_before", "acc_after", "se_before", "se_after", "se_diff"}
    assert "<svg" in (resumed_run / "report.html").read_text()


def test_stock_verl_with_g2rpo(prepared, tmp_path):
    """Unmodified entry and `sync` trainer: no task labels, all rows one task; verl's own reward function hook."""
    reward = tmp_path / "reward.py"
    reward.write_text("from reward_fns.score import compute_score\n")
    train(
        *(prepared, tmp_path / "run"),
        "hydra.searchpath=[pkg://verl_ext.configs]",
        "+machine=cpu",
        "algorithm.adv_estimator=g2rpo",
        f"reward.custom_reward_function.path={reward}",
        "trainer.val_before_train=False",
        "trainer.test_freq=1",
        steps=1,
        module="verl.trainer.main_ppo",
    )
    assert "val-core/offline/" in (tmp_path / "run" / "train.log").read_text()


def test_a_checkpoint_becomes_a_model_that_answers(prepared, resumed_run, tmp_path):
    """verl's own merger, as docs/scaling.md has it."""
    shards = resumed_run / "checkpoints" / "global_step_2" / "actor"
    folder = tmp_path / "model"
    call("verl.model_merger", "merge", "--backend", "fsdp", "--local_dir", shards, "--target_dir", folder)
    model, processor = AutoModelForImageTextToText.from_pretrained(folder), AutoProcessor.from_pretrained(folder)
    row = pq.read_table(prepared / "data" / "val.parquet").slice(0, 1).to_pylist()[0]
    question = row["prompt"][0]["content"].removeprefix("<image>")
    chat = [{"role": "user", "content": [{"type": "image"}, {"type": "text", "text": question}]}]
    text = processor.apply_chat_template(chat, add_generation_prompt=True)
    inputs = processor(text=[text], images=[read_row_image(row)], return_tensors="pt")
    answer = model.generate(**inputs, max_new_tokens=8, do_sample=False)[0, inputs["input_ids"].shape[1] :]
    assert processor.decode(answer, skip_special_tokens=True).strip()
