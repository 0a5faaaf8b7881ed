"""verl's asynchronous modes without a GPU, killed and resumed: `pytest -m e2e`."""

import json
import math
import pickle
from itertools import islice

import pyarrow.parquet as pq
import pytest
import torch
from test_end_to_end import PROMPTS, RESPONSES, prepared, train, training  # noqa: F401  a fixture

from examples.kill_and_resume import saved_step, until_killed
from verl_ext.run_log import read
from verl_ext.sampler import SamplingSettings, TaskSampler

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.timeout(1800),
    pytest.mark.skipif(torch.cuda.is_available(), reason="the CPU platform is for machines without a GPU"),
]
STEPS = 4
COEFFICIENT = 0.02
"""`entropy_coeff` of the quickstart, below which no multiplier falls."""
SEPARATE = (
    "actor_rollout_ref.hybrid_engine=false",
    "trainer.v1.separate_async.parameter_sync_step=2",
    f"actor_rollout_ref.actor.ppo_mini_batch_size={PROMPTS // 2}",
    "actor_rollout_ref.rollout.nnodes=1",
    "actor_rollout_ref.rollout.n_gpus_per_node=1",
    "ray_kwargs.ray_init.num_gpus=2",
    "ray_kwargs.ray_init.num_cpus=14",
)


@pytest.mark.parametrize("mode, overrides", [("colocate_async", ()), ("separate_async", SEPARATE)])
def test_a_killed_run_goes_on_with_its_state_and_its_rows(prepared, tmp_path, mode, overrides):  # noqa: F811
    ours = (
        *("+machine=cpu", "+recipe=quickstart", f"trainer.v1.trainer_mode=verl_ext_{mode}", *overrides),
        *(f"verl_ext.run_dir={tmp_path}", f"trainer.rollout_data_dir={tmp_path}/rollouts", "trainer.save_freq=1"),
        *("trainer.val_before_train=false", "trainer.test_freq=-1", "algorithm.adv_estimator=ema_grpo"),
        *("verl_ext.sampling.base=equal", "verl_ext.defaults.entropy_control=dual"),
    )
    command = training(prepared, tmp_path, *ours, steps=STEPS)
    rollouts = tmp_path / "rollouts" / "2.jsonl"  # written behind the metrics
    assert until_killed(command, tmp_path, minutes=10, killed=lambda: rollouts.exists() and rollouts.stat().st_size)
    resumed = saved_step(tmp_path)
    train(prepared, tmp_path, *ours, steps=STEPS)

    assert [entry["step"] for entry in read(tmp_path / "metrics.jsonl")] == [1, 2, 3, 4]
    assert 2 <= resumed < STEPS
    check_state(*(state(tmp_path, step) for step in (resumed, resumed + 1)))
    check_rows(tmp_path, prepared)


def state(run, step):
    return json.loads((run / "checkpoints" / f"global_step_{step}" / "verl_ext.json").read_text())


def check_state(before, after):
    """The step after the resume has moved what the checkpoint holds: started anew, most tasks would be missing."""
    assert before["ema_grpo"].keys() <= after["ema_grpo"].keys()
    duals = before["entropy_dual"]
    assert duals
    for task, old in duals.items():
        new = after["entropy_dual"][task]
        # At most one of the two rises, and the other falls by the decay, if not below the coefficient; by half of it
        # where two local updates make the step and the task is in one of them.
        fallen = [
            math.isclose(b, max(a * math.exp(-0.05 * n), COEFFICIENT))
            for a, b in zip(old, new, strict=True)
            for n in (1, 0.5)
        ]
        assert new == old or any(fallen), task


def check_rows(run, prepared):  # noqa: F811
    """Every row that was drawn was trained once or waits in the last checkpoint, which is all that it keeps."""
    trained = {}
    for step in range(1, STEPS + 1):
        lines = [json.loads(line) for line in (run / "rollouts" / f"{step}.jsonl").read_text().splitlines()]
        own = {line["uid"].split("_")[0]: line["gts"] for line in lines}
        assert (len(lines), len(own)) == (PROMPTS * RESPONSES, PROMPTS)
        assert not own.keys() & trained.keys()
        trained |= own
    queue = run / "checkpoints" / f"global_step_{STEPS}" / "transfer_queue" / "controller_state.pkl"
    keys = set(pickle.loads(queue.read_bytes())["partitions"]["train"].keys_mapping)
    waiting = {key for key in keys if "_" not in key}
    assert {key.split("_")[0] for key in keys} <= waiting | own.keys()
    data = pq.read_table(prepared / "data" / "train.parquet", columns=["extra_info", "reward_model"]).to_pylist()
    sampler = TaskSampler([row["extra_info"]["task"] for row in data], SamplingSettings(base="equal"), seed=0)
    drawn = [data[place]["reward_model"]["ground_truth"] for place in islice(sampler, (STEPS + 1) * PROMPTS)]
    fetched = sorted(trained.keys() | waiting)
    assert len(fetched) == len(drawn)
    assert all(trained.get(uid, truth) == truth for uid, truth in zip(fetched, drawn, strict=True))
