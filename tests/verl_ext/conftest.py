from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

import verl_ext

CONFIGS = Path(verl_ext.__file__).parent / "configs"


@pytest.fixture
def compose_config():
    """Composes the configuration of `python -m verl_ext.main_ppo` with overrides."""

    def composed(*overrides: str):
        with initialize_config_dir(str(CONFIGS), version_base=None):
            return compose("g2rpo_trainer", overrides=list(overrides))

    return composed
