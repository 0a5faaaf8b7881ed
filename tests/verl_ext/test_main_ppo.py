"""What is refused before Ray starts, and the last words of a run that failed."""

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from omegaconf import OmegaConf
from verl.trainer import main_ppo as verls

from data_prep.offline import OfflineSource
from verl_ext.checkpoints import TRACKER
from verl_ext.main_ppo import main, stopped


@pytest.fixture
def config(tmp_path):
    return OmegaConf.create({"trainer": {"default_local_dir": str(tmp_path)}})


def checkpoint(root, step):
    (root / f"global_step_{step}" / "actor").mkdir(parents=True)
    for name in ("actor/model_world_size_1_rank_0.pt", "data.pt"):
        torch.save({}, root / f"global_step_{step}" / name)
    (root / TRACKER).write_text(str(step))


@pytest.mark.parametrize(
    "error, cause",
    [
        (
            RuntimeError("ray::TaskRunnerV1.run()\n  File x\nRuntimeError: verl_ext: a process is dead\n"),
            "a process is dead",
        ),
        (RuntimeError(""), "RuntimeError"),
        (
            RuntimeError("terminal groups with no materializable trajectories. Enable x"),
            "every response of the step failed",
        ),
    ],
)
def test_the_cause_is_the_last_line_of_what_ray_brings(config, error, cause):
    said = stopped(error, config).splitlines()
    assert said[0].startswith("verl_ext: the run stopped: ") and cause in said[0]
    assert said[1] == "verl_ext: no checkpoint was written, so the same command starts from the beginning"


def test_the_step_to_go_on_from(config, tmp_path):
    checkpoint(tmp_path, 4)
    assert stopped(KeyError("x"), config).endswith("goes on after step 4")


@pytest.fixture
def started(compose_config, tmp_path, monkeypatch):
    """Configurations that reach verl, where two good rows, changed, are the data."""
    reached = []
    monkeypatch.setattr(verls, "run_ppo", lambda config, **_: reached.append(config))

    def start(change=lambda row: row, more=()):
        rows = [OfflineSource().row("train", 0), change(OfflineSource().row("train", 1))]
        pq.write_table(pa.Table.from_pylist(rows), tmp_path / "rows.parquet")
        files = [f"data.{split}_files={tmp_path}/rows.parquet" for split in ("train", "val")]
        settings = ("+machine=cpu", "+recipe=quickstart", "data.max_response_length=96", "data.train_batch_size=4")
        settings += ("actor_rollout_ref.actor.ppo_mini_batch_size=4", "actor_rollout_ref.model.path=none")
        main(compose_config(*settings, *files, f"trainer.default_local_dir={tmp_path}/run", *more))
        return reached

    return start


def test_a_bad_row_stops_the_run_before_ray(started):
    reached = started()
    assert len(reached) == 1
    with pytest.raises(SystemExit, match=r"row 1: reward_model\.ground_truth is missing"):
        started(lambda row: row | {"reward_model": None})
    assert len(reached) == 1


def test_a_torn_checkpoint_is_passed_over_with_a_warning(started, tmp_path, capsys):
    checkpoint(tmp_path / "run", 1), checkpoint(tmp_path / "run", 2)
    (tmp_path / "run" / "global_step_2" / "data.pt").write_bytes(b"PK")
    (config,) = started()
    assert config.trainer.resume_from_path == str(tmp_path / "run" / "global_step_1")
    assert "WARNING" in (said := capsys.readouterr().err) and "data.pt is cut off" in said


def test_validating_alone_leaves_the_configuration_of_the_training(started, tmp_path):
    started()
    trained = (tmp_path / "run" / "config.yaml").read_text()
    started(more=("trainer.val_only=true", "data.seed=7"))
    assert (tmp_path / "run" / "config.yaml").read_text() == trained


def test_going_on_with_another_estimator_is_said(started, tmp_path, capsys):
    started()
    checkpoint(tmp_path / "run", 1)
    started()
    assert "WARNING" not in capsys.readouterr().err
    started(more=("algorithm.adv_estimator=grpo", "trainer.resume_mode=disable"))
    assert "WARNING" not in capsys.readouterr().err
    started(more=("algorithm.adv_estimator=g2rpo",))
    said = capsys.readouterr().err
    assert "algorithm.adv_estimator=g2rpo (before: grpo)" in said and "resume_mode=disable" in said
