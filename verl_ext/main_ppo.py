"""`python -m verl_ext.main_ppo`: verl's `main_ppo` with the `verl_ext` block, checked before Ray starts."""

from __future__ import annotations

import sys
import traceback
from pathlib import Path
from typing import Any

import hydra
from omegaconf import DictConfig, OmegaConf


def check(config: DictConfig) -> None:
    """Refuse a run whose settings cannot work; one ValueError lists every problem."""
    import verl  # noqa: F401  loads the plug-ins
    from verl.trainer.ppo.core_algos import ADV_ESTIMATOR_REGISTRY

    from reward_fns.registry import TASKS
    from verl_ext import config as settings_of
    from verl_ext.doctor.configuration import division_findings

    if "g2rpo" not in ADV_ESTIMATOR_REGISTRY:
        raise RuntimeError(
            "verl did not load the verl_ext plug-in: install this package (`pip install -e .`) and leave "
            "VERL_USE_EXTERNAL_PLUGINS unset or include verl_ext in it"
        )
    plain = OmegaConf.to_container(config, resolve=True)
    sizes = [f"{one.message}; {one.fix}" for one in division_findings(plain)]
    settings_of.check(plain, known_tasks=TASKS, known_estimators=ADV_ESTIMATOR_REGISTRY, further=sizes)


def run_dir_of(config: DictConfig) -> Path:
    return Path(config.verl_ext.run_dir or config.trainer.default_local_dir)


def save_config(config: DictConfig) -> Path:
    """Write the resolved configuration to `config.yaml` in the run folder and return the folder.

    A run that only validates leaves the one that trained.
    """
    run_dir = run_dir_of(config)
    run_dir.mkdir(parents=True, exist_ok=True)
    path = run_dir / "config.yaml"
    if not (config.trainer.val_only and path.exists()):
        resolved = OmegaConf.create(OmegaConf.to_container(config, resolve=True))
        path.write_text(OmegaConf.to_yaml(resolved))
    return run_dir


def stopped(error: BaseException, config: DictConfig) -> str:
    """Last words of a run that failed: the cause, and what the same command does next."""
    from verl_ext import checkpoints

    cause = next((line.strip() for line in reversed(str(error).splitlines()) if line.strip()), type(error).__name__)
    if "no materializable trajectories" in cause:
        cause = "every response of the step failed; the first `Error in _run_prompt` above says why"
    # What Ray guesses of the death of a process helps nobody.
    cause = cause.rpartition("verl_ext: ")[2].split(" Some common causes")[0]
    return f"verl_ext: the run stopped: {cause[:1000]}\nverl_ext: {checkpoints.goes_on_from(config)}"


@hydra.main(config_path="configs", config_name="g2rpo_trainer", version_base=None)
def main(config: DictConfig) -> Any:
    from verl_ext import checkpoints, data_files

    try:
        check(config)
        data_files.refuse_rows(config)
        passed_over = checkpoints.settle(config)
    except ValueError as error:
        sys.exit(f"verl_ext: {error}")
    for warning in filter(None, (passed_over, checkpoints.changed(config, run_dir_of(config)))):
        print(f"verl_ext: WARNING: {warning}", file=sys.stderr, flush=True)
    save_config(config)

    from verl.trainer import main_ppo
    from verl.trainer.ppo.utils import need_critic, need_reference_policy
    from verl.utils.config import validate_config
    from verl.utils.device import auto_set_device

    auto_set_device(config)
    validate_config(config=config, use_reference_policy=need_reference_policy(config), use_critic=need_critic(config))
    try:
        main_ppo.run_ppo(config, task_runner_class=main_ppo.TaskRunnerV1)
    except Exception as error:
        traceback.print_exc()
        sys.exit(stopped(error, config))


if __name__ == "__main__":
    main()
