"""The last words of a run that failed: the cause, and where the same command goes on."""

import pytest
import torch
from omegaconf import OmegaConf

from verl_ext.checkpoints import TRACKER
from verl_ext.main_ppo import stopped


@pytest.fixture
def config(tmp_path):
    return OmegaConf.create({"trainer": {"default_local_dir": str(tmp_path)}})


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
    (tmp_path / "global_step_4" / "actor").mkdir(parents=True)
    for name in ("actor/model_world_size_1_rank_0.pt", "data.pt"):
        torch.save({}, tmp_path / "global_step_4" / name)
    (tmp_path / TRACKER).write_text("4")
    assert stopped(KeyError("x"), config).endswith("goes on after step 4")
