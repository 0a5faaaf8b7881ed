"""The trainer over verl's own base class, without Ray: what its constructor and its checkpoints promise."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from verl.trainer.ppo.v1 import get_trainer_cls
from verl.trainer.ppo.v1.trainer_sync import PPOTrainerSync
from verl.utils import tensordict_utils

from verl_ext import batch_rows, trainer
from verl_ext.replay import OrderedReplayBuffer, OrderedReplayBufferAsync
from verl_ext.run_log import read

SEPARATE = (
    "actor_rollout_ref.rollout.nnodes=1",
    "actor_rollout_ref.rollout.n_gpus_per_node=1",
    "actor_rollout_ref.rollout.checkpoint_engine.backend=file",
    "data.train_batch_size=8",
    "actor_rollout_ref.actor.ppo_mini_batch_size=4",
    "trainer.v1.separate_async.parameter_sync_step=2",
)


@pytest.mark.parametrize(
    "mode, overrides, buffer, local_updates",
    [
        ("sync", (), OrderedReplayBuffer, 1),
        ("colocate_async", (), OrderedReplayBufferAsync, 1),
        ("separate_async", SEPARATE, OrderedReplayBufferAsync, 2),
    ],
)
def test_verl_sees_its_own_mode_name(made, mode, overrides, buffer, local_updates):
    """Under a name of ours verl would take the asynchronous buffer and the defaults in every mode."""
    ours = made(f"trainer.v1.trainer_mode=verl_ext_{mode}", "verl_ext.poll_interval=0.05", *overrides)
    assert isinstance(ours, trainer.TaskAware)
    assert isinstance(ours, get_trainer_cls(mode))
    assert ours.trainer_mode == ours.config.trainer.v1.trainer_mode == mode
    assert type(ours.replay_buffer) is buffer
    assert ours.replay_buffer.poll_interval == 0.05
    assert ours.parameter_sync_step == local_updates


def test_verls_own_filter_switch_reaches_the_buffer(made):
    ours = made("algorithm.filter_groups.enable=true", "data.train_batch_size=6", "verl_ext.filter.max_rounds=3")
    assert ours.replay_buffer.filter_groups_metric == "accuracy"
    assert ours.replay_buffer.group_filter is ours.group_filter
    assert (ours.group_filter.batch_size, ours.group_filter.settings.max_rounds) == (6, 3)


def test_prompts_are_named_by_their_place_in_the_run(made, monkeypatch):
    def fetch(self):
        return tensordict_utils.get_tensordict({"uid": np.array(["random"] * 2, dtype=object)})

    monkeypatch.setattr(PPOTrainerSync, "_fetch_one_gen_batch", fetch)
    ours = made()
    ours.global_steps = 3
    names = [list(ours._fetch_one_gen_batch()["uid"]) for _ in range(2)]
    assert names == [["000003-000000", "000003-000001"], ["000003-000002", "000003-000003"]]
    ours.global_steps = 4
    assert next(iter(ours._fetch_one_gen_batch()["uid"])) == "000004-000000"


def test_a_damaged_state_file_stops_the_resume(made, monkeypatch, tmp_path):
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", lambda self: setattr(self, "global_steps", 3))
    (tmp_path / "global_step_3").mkdir()
    (tmp_path / "global_step_3" / trainer.MEMORY_FILE).write_text('{"ema_grpo": {"a": [0.')
    with pytest.raises(ValueError, match="is damaged"):
        made()._load_checkpoint()


@pytest.mark.parametrize("coefficient, wanted", [(0.02, True), (0, False)])
def test_entropy_is_computed_only_where_it_is_shaped(made, coefficient, wanted):
    ours = made(f"verl_ext.defaults.entropy_coeff={coefficient}")
    assert ours.shapes_entropy is wanted
    assert ours.config.actor_rollout_ref.actor.calculate_entropy is wanted


def test_estimator_memory_survives_a_checkpoint(made, monkeypatch):
    def load(self):
        self.global_steps = 7

    monkeypatch.setattr(PPOTrainerSync, "_save_checkpoint", lambda self: None)
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", load)
    before = made()
    before.global_steps = 7
    before.memory["ema_grpo"] = {"arithmetic": [0.1, 1 / 3]}
    before._save_checkpoint()
    after = made()
    after._load_checkpoint()
    assert after.memory == before.memory


def test_a_checkpoint_has_the_metrics_of_its_step(made, monkeypatch):
    """verl logs a step after saving it: a run that dies in between would leave a gap."""
    ours = made()
    ours.global_steps, ours.steps_per_epoch = 7, 5
    ours.in_progress = "batch", {"actor/loss": 0.5}, {"gen": 2.0, "update_actor": 1.0}
    ours.run_log.open(resume_step=6)

    def compute(batch, metrics, timing_raw, global_steps, epoch):
        metrics |= {"epoch": epoch, "seconds": timing_raw["step"]}
        ours.run_log.write(global_steps, metrics, provisional=ours._provisional)

    def save(self):
        assert read(ours.run_log.path) == [{"step": 7, "actor/loss": 0.5, "epoch": 1, "seconds": 3.0}]

    ours._compute_metrics = compute
    monkeypatch.setattr(PPOTrainerSync, "_save_checkpoint", save)
    ours._save_checkpoint()
    ours.run_log.write(7, {"actor/loss": 0.5, "seconds": 9.0})
    assert read(ours.run_log.path) == [{"step": 7, "actor/loss": 0.5, "seconds": 9.0}]


def test_a_checkpoint_that_cannot_be_written_says_which_disk_has_how_much_left(made, monkeypatch):
    def full(self):
        raise OSError("file write failed")

    monkeypatch.setattr(PPOTrainerSync, "_save_checkpoint", full)
    ours = made()
    ours.global_steps = 7
    with pytest.raises(RuntimeError, match=r"global_step_7 could not be written .*\d MiB free.*file write failed"):
        ours._save_checkpoint()


def test_nothing_is_trained_on_after_a_death(made, monkeypatch):
    from verl_ext.liveness import Watch

    slept = []
    monkeypatch.setattr(PPOTrainerSync, "on_sample_end", lambda self: slept.append(1))
    ours = made()
    ours.watch = Watch({})
    ours.on_sample_end()
    ours.watch.dead["reward worker 0"] = "killed"
    with pytest.raises(RuntimeError, match="reward worker 0: killed"):
        ours.on_sample_end()
    assert slept == [1]


def test_a_step_that_fails_of_a_death_names_it(made, monkeypatch):
    def step(self, metrics, timing_raw):
        raise RuntimeError("no materializable trajectories")

    monkeypatch.setattr(PPOTrainerSync, "step", step)
    ours = made()
    with pytest.raises(RuntimeError, match="no materializable"):
        ours.step({}, {})
    ours.watch.dead["reward worker 0"] = "killed"
    with pytest.raises(RuntimeError, match="reward worker 0: killed"):
        ours.step({}, {})


def test_checkpoint_without_memory_warns(made, monkeypatch, caplog):
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", lambda self: setattr(self, "global_steps", 3))
    made()._load_checkpoint()
    assert trainer.MEMORY_FILE in caplog.text


def test_weights_follow_each_tasks_side_of_its_band(made, monkeypatch):
    """Two rows of a task above its band, one below, one inside; two mini-batches of two prompts, one response each."""
    ours = made(
        "actor_rollout_ref.actor.ppo_mini_batch_size=2",
        "actor_rollout_ref.rollout.n=1",
        "~verl_ext.tasks",
        "verl_ext.defaults.entropy_band=[0.2,0.6]",
        "verl_ext.defaults.entropy_coeff=0.5",
        "verl_ext.defaults.entropy_control=fixed",
        "verl_ext.defaults.entropy_spare_solved=false",
    )
    labels = {"task": ["arithmetic", "arithmetic", "relation", "shape_box"]}
    labels["category"] = ["math_vqa", "math_vqa", "spatial_reasoning", "grounding"]
    mask = torch.tensor([[1, 1, 0], [1, 1, 1], [1, 1, 1], [1, 0, 0]])
    entropy = torch.tensor([[1.0, 1, 9], [1, 1, 1], [0.1, 0.1, 0.1], [0.4, 9, 9]])
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(labels[name]) for name in names])
    monkeypatch.setattr(batch_rows, "fetch_tokens", lambda _b, *_names: [mask, entropy])
    ours.global_steps = 1
    weights = ours._entropy_weights(SimpleNamespace(keys=list("abcd")))
    torch.testing.assert_close(weights, torch.tensor([0.5 * 2 / 5, 0.5 * 2 / 5, -0.5 * 2 / 3, 0.0]))
    monkeypatch.setattr(PPOTrainerSync, "step", lambda *_: ours._entropy_weights(SimpleNamespace(keys=list("abcd"))))
    ours.step(metrics := {}, {})
    assert metrics["task/arithmetic/entropy_coeff"] == 0.5


def test_solved_prompts_are_spared_below_the_band_and_nowhere_else(made, monkeypatch):
    """arithmetic is below its band without its solved prompt too, relation above, shape_box below by that alone."""
    ours = made(
        *("actor_rollout_ref.actor.ppo_mini_batch_size=8", "actor_rollout_ref.rollout.n=1", "~verl_ext.tasks"),
        *("verl_ext.defaults.entropy_band=[0.2,0.6]", "verl_ext.defaults.entropy_coeff=0.5"),
        *("verl_ext.defaults.entropy_control=fixed", "verl_ext.defaults.entropy_spare_solved=true"),
    )
    task = np.array(["arithmetic"] * 3 + ["relation"] * 2 + ["shape_box"] * 2)
    category = np.array(["math_vqa"] * 3 + ["spatial_reasoning"] * 2 + ["grounding"] * 2)
    accuracy = np.array([1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 0.9])
    fields = {"task": task, "category": category, "accuracy": accuracy}
    mask = torch.tensor([[1, 1, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0], [1, 0, 0], [1, 1, 1], [1, 0, 0]])
    entropy = torch.tensor([0.0, 0.1, 0.1, 1.0, 0.5, 0.0, 0.5])[:, None].expand(7, 3)
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [fields[name] for name in names])
    monkeypatch.setattr(batch_rows, "fetch_tokens", lambda _b, *_names: [mask, entropy])
    ours.global_steps = 1
    # The second response of u0 is right as well; that of u1 is wrong.
    keys = ["u0_0_0", "u0_1_0", "u1_0_0", "u2_0_0", "u3_0_0", "u4_0_0", "u5_0_0"]
    weights = ours._entropy_weights(SimpleNamespace(keys=keys))
    torch.testing.assert_close(weights, torch.tensor([0, 0, -0.5 / 3, 0.5 / 2, 0.5 / 2, 0, 0]))


def test_a_solved_task_moves_no_multiplier(made, monkeypatch):
    dual = "verl_ext.defaults.entropy_control=dual"
    ours = made("~verl_ext.tasks", dual, "verl_ext.defaults.entropy_spare_solved=true")
    fields = {"task": ["digit_sum"], "category": ["math_vqa"], "accuracy": [1.0]}
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(fields[name]) for name in names])
    monkeypatch.setattr(batch_rows, "fetch_tokens", lambda _b, *_names: [torch.ones(1, 1), torch.tensor([[0.0]])])
    ours.global_steps = 1
    assert ours._entropy_weights(SimpleNamespace(keys=["u0_0_0"])).tolist() == [0.0]
    assert ours.memory == {}


def test_a_prompt_is_solved_by_the_mean_of_its_sessions_last_outputs(monkeypatch):
    accuracy = np.array([0.0, 1.0, 1.0, 1.0, 0.95, 1.0, 0.9])
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *_names: [accuracy])
    keys = ["u0_0_0", "u0_0_1", "u0_1_0", "u1_0_0", "u1_1_0", "u2_0_0", "u2_1_0"]
    solved = batch_rows.solved(SimpleNamespace(keys=keys), 0.96)
    assert solved.tolist() == [True] * 3 + [True] * 2 + [False] * 2


def test_while_the_critic_warms_up_no_multiplier_moves(made):
    """verl does not update the actor then."""
    ours = made("trainer.critic_warmup=10", "verl_ext.defaults.entropy_control=dual")
    ours.global_steps = 9
    assert ours._entropy_weights(SimpleNamespace(keys=list("abcd"))).tolist() == [0.0] * 4
    assert ours.memory == {}


def test_a_task_in_two_categories_has_the_band_of_each(made, monkeypatch):
    ours = made(
        *("actor_rollout_ref.actor.ppo_mini_batch_size=1", "actor_rollout_ref.rollout.n=4", "~verl_ext.tasks"),
        *("verl_ext.defaults.entropy_coeff=0.5", "verl_ext.defaults.entropy_control=fixed"),
        *("++verl_ext.defaults.entropy_warmup_steps=10", "verl_ext.defaults.entropy_spare_solved=false"),
        "++verl_ext.categories.math_vqa.entropy_band=[0.2,0.6]",
        "++verl_ext.categories.document.entropy_band=[0.4,0.8]",
    )
    labels = {"task": ["numerical"] * 4, "category": ["math_vqa", "document"] * 2}
    mask, entropy = torch.ones(4, 2), torch.tensor([[0.7, 0.7], [0.7, 0.7], [0.7, 0.7], [0.3, 0.3]])
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(labels[name]) for name in names])
    monkeypatch.setattr(batch_rows, "fetch_tokens", lambda _b, *_names: [mask, entropy])
    ours.global_steps = 5
    weights = ours._entropy_weights(SimpleNamespace(keys=list("abcd")))
    # Half of the warm-up; one mini-batch of 1 x 4 rows; math_vqa is above its band, documents are at 0.5, inside.
    torch.testing.assert_close(weights, torch.tensor([0.25 / 4, 0.0, 0.25 / 4, 0.0]))


def test_several_local_updates_move_the_multipliers_once(made, monkeypatch):
    """All are made under the same weights; verl adds up metrics whose name has "sum" in it."""
    ours = made(
        *("verl_ext.entropy_dual.step=0.5", "verl_ext.entropy_dual.decay=0", "verl_ext.entropy_dual.ceiling=1"),
        "verl_ext.defaults.entropy_spare_solved=false",
    )
    labels = {"task": ["digit_sum"], "category": ["math_vqa"]}
    high = torch.tensor([[9.0]])
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(labels[name]) for name in names])
    monkeypatch.setattr(batch_rows, "fetch_tokens", lambda _b, *_names: [torch.ones(1, 1), high])
    ours.parameter_sync_step, ours.global_steps = 4, 1000
    start = ours.settings.for_task("digit_sum", "math_vqa").entropy_coeff

    def step(_self, metrics, _timing):
        for _ in range(4):
            ours._entropy_weights(SimpleNamespace(keys=["a"]))

    monkeypatch.setattr(PPOTrainerSync, "step", step)
    ours.step(metrics := {}, {})
    assert metrics["task/digit_sum/entropy_coeff"] == pytest.approx(start * np.exp(0.5))


def test_ties_are_those_of_the_estimator_that_runs(made, monkeypatch):
    labels = {"task": ["refcoco", "mmmu"], "category": ["grounding", "general_vqa"]}
    monkeypatch.setattr(batch_rows, "fetch_rewards", lambda _b, *names: [np.array(labels[name]) for name in names])
    batch = SimpleNamespace(keys=["a", "b"])
    ours = made("algorithm.g2rpo.tie_epsilon=0.01", "+algorithm.g2rpo.task_tie_epsilon={refcoco: 0.05}")
    assert ours._tie_epsilon(batch).tolist() == [0.05, 0.01]
    ema = made("algorithm.adv_estimator=ema_grpo", "algorithm.ema_grpo.tie_epsilon=0.02")
    assert ema._tie_epsilon(batch).tolist() == [0.02, 0.02]


def test_a_run_without_entropies_has_its_other_metrics(monkeypatch):
    """As under algorithm.rollout_correction.bypass_mode: the queue knows no field that was never put in."""
    result = {"task": "a", "category": "math_vqa", "accuracy": 1.0, "score": 1.0, "truncated": False}
    extra = {"reward_extra_info": result | dict.fromkeys(("format", "structure", "length"), 0.0)}
    fields = {"response_mask": torch.ones(2, 3), "advantages": torch.full((2, 3), 0.5), "extra_fields": [extra] * 2}

    def get(select_fields, **_):
        return {name: fields[name] for name in select_fields if name in fields}

    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", get)
    rows = batch_rows.fetch_rows(SimpleNamespace(keys=["u_0_0", "u_1_0"], partition_id="train", tags=[{}, {}]))
    assert rows.entropy_sum is None and rows.tokens.tolist() == [3.0, 3.0]
    fields["entropy"] = torch.ones(2, 3)
    rows = batch_rows.fetch_rows(SimpleNamespace(keys=["u_0_0", "u_1_0"], partition_id="train", tags=[{}, {}]))
    assert rows.entropy_sum.tolist() == [3.0, 3.0]


def test_the_first_steps_metrics_are_kept_where_it_ends_in_a_validation(made, monkeypatch):
    monkeypatch.setattr(PPOTrainerSync, "_val_metrics_update", lambda *_args, **_kwargs: {})
    monkeypatch.setattr(trainer, "validation_metrics", lambda *_args, **_kwargs: {"val/mean_accuracy": 0.5})
    ours = made()
    ours.run_log.open(resume_step=0)
    ours.global_steps, ours.in_progress = 1, ("batch", {}, {})
    ours._val_metrics_update([], [], {}, expected_acc_counts={})
    ours.run_log.write(1, {"actor/loss": 0.5})
    assert read(ours.run_log.path) == [{"step": 1, "actor/loss": 0.5}]


def test_a_path_to_resume_from_counts_only_where_verl_follows_it(made, monkeypatch, tmp_path):
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", lambda self: setattr(self, "global_steps", 3))
    ours = made("trainer.resume_mode=auto", f"trainer.resume_from_path={tmp_path}/global_step_9")
    (tmp_path / "global_step_3").mkdir()
    (tmp_path / "global_step_3" / trainer.MEMORY_FILE).write_text('{"ema_grpo": {"a": [0.5, 0.5]}}')
    ours._load_checkpoint()
    assert ours.memory["ema_grpo"] == {"a": [0.5, 0.5]}


def test_the_state_lies_in_the_folder_that_verl_resumes_from(made, monkeypatch, tmp_path):
    monkeypatch.setattr(PPOTrainerSync, "_load_checkpoint", lambda self: setattr(self, "global_steps", 3))
    folder = tmp_path / "another_run" / "global_step_3"
    folder.mkdir(parents=True)
    (folder / trainer.MEMORY_FILE).write_text('{"ema_grpo": {"a": [0.5, 0.5]}}')
    ours = made("trainer.resume_mode=resume_path", f"trainer.resume_from_path={folder}")
    ours._load_checkpoint()
    assert ours.memory == {"ema_grpo": {"a": [0.5, 0.5]}}


def test_reward_without_labels_names_row_and_remedy(monkeypatch):
    extras = [{"reward_extra_info": {"task": "a"}}, {"reward_extra_info": {}}]
    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", lambda **_: {"extra_fields": extras})
    batch = SimpleNamespace(keys=["u_0_0", "u_1_0"], partition_id="train")
    with pytest.raises(KeyError, match=r"row u_1_0 has no 'task'.*reward_manager"):
        batch_rows.fetch_rewards(batch, "task")


def test_events_of_padding_rows_do_not_count(monkeypatch):
    extras = [{"reward_extra_info": {"verifier_timeouts": n, "task": "a"}} for n in (2.0, 1.0, 4.0)]
    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", lambda **_: {"extra_fields": extras})
    tags = [{}, {}, {"is_padding": True}]
    batch = SimpleNamespace(keys=["u_0_0", "u_1_0", "u_2_0"], partition_id="train", tags=tags)
    assert batch_rows.reward_events(batch) == {"reward/verifier_timeouts": 3.0}
    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", lambda **_: {"extra_fields": [{}] * 3})
    assert batch_rows.reward_events(batch) == {}
