from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir
from omegaconf import OmegaConf

import verl_ext

CONFIGS = Path(verl_ext.__file__).parent / "configs"


@pytest.fixture
def compose_config():
    """Composes the configuration of `python -m verl_ext.main_ppo` with overrides."""

    def composed(*overrides: str):
        with initialize_config_dir(str(CONFIGS), version_base=None):
            return compose("g2rpo_trainer", overrides=list(overrides))

    return composed


@pytest.fixture
def made(compose_config, tmp_path):
    """A trainer as verl's task runner makes it."""
    import verl  # noqa: F401
    from verl.trainer.ppo.v1 import get_trainer_cls

    def make(*overrides: str):
        config = compose_config(
            *("+machine=cpu", "+recipe=quickstart", "actor_rollout_ref.model.path=none"),
            *("data.max_response_length=96", f"trainer.default_local_dir={tmp_path}", *overrides),
        )
        OmegaConf.resolve(config)
        return get_trainer_cls(config.trainer.v1.trainer_mode)(config)

    return make
