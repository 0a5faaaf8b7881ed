"""Our Hydra configuration over the installed verl's."""

import re
from pathlib import Path

import pytest
from omegaconf import OmegaConf
from verl.trainer.config import AlgoConfig
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.dataset.rl_dataset import get_dataset_class
from verl.utils.import_utils import load_class_from_fqn

from reward_fns.registry import TASKS
from verl_ext import config as settings_of
from verl_ext import main_ppo
from verl_ext.agent_loop import CachedAgentLoopManager, SeededAgentLoopManager

QUICKSTART = ("+machine=cpu", "+recipe=quickstart", "actor_rollout_ref.model.path=none", "data.max_response_length=96")


def test_verl_and_our_keys_take_overrides_alike(compose_config):
    config = compose_config(*QUICKSTART, "trainer.save_freq=7", "+verl_ext.categories.grounding.length_weight=0.2")
    assert config.trainer.save_freq == 7
    assert config.algorithm.adv_estimator == "g2rpo"
    settings = main_ppo_settings(config)
    assert settings.for_task("shape_box", "grounding").reward.length_weight == 0.2
    assert settings.for_task("arithmetic", "math_vqa").reward.length_weight == 0.1


def main_ppo_settings(config):
    return settings_of.check(OmegaConf.to_container(config, resolve=True), known_tasks=TASKS)


@pytest.mark.parametrize("machine, manager", [((), SeededAgentLoopManager), (QUICKSTART, CachedAgentLoopManager)])
def test_verl_loads_our_data_set_and_agent_loops(compose_config, machine, manager):
    config = compose_config("actor_rollout_ref.model.path=none", *machine)
    data = get_dataset_class(config.data)
    assert (data.__module__, data.__name__) == ("verl_ext.named_rows", "NamedRows")
    name = config.actor_rollout_ref.rollout.agent.agent_loop_manager_class
    assert load_class_from_fqn(name, "AgentLoopManager") is manager


def test_all_problems_come_in_one_message_before_ray(compose_config):
    config = compose_config(
        *QUICKSTART,
        "+verl_ext.defaults.formt_weight=0.1",
        "+verl_ext.categories.maths={}",
        "verl_ext.defaults.entropy_band=[0.6,0.2]",
        "algorithm.use_kl_in_reward=true",
    )
    with pytest.raises(ValueError) as error:
        main_ppo.check(config)
    for part in ("formt_weight", "format_weight", "maths", "math_vqa", "entropy_band", "use_kl_in_reward"):
        assert part in str(error.value)


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (
            "algorithm.adv_estimator=g2rp0",
            "algorithm.adv_estimator: g2rp0 is an unknown estimator; the nearest is 'g2rpo', known: .*gae",
        ),
        ("actor_rollout_ref.model.path=/nowhere/model", "model.path=/nowhere/model is not there; download it"),
        ("actor_rollout_ref.model.path=./model", r"model.path=\./model is not there"),
        ("actor_rollout_ref.model.path='~/no/model'", "model.path=~/no/model is not there"),
        ("data.train_files=[]", r"data.train_files=\[\] names no file"),
        ("data.train_files=null", "data.train_files=None names no file"),
        (
            "actor_rollout_ref.actor.ppo_mini_batch_size=3",
            "is no multiple of actor_rollout_ref.actor.ppo_mini_batch_size=3; "
            "actor_rollout_ref.actor.ppo_mini_batch_size=",
        ),
    ],
)
def test_what_would_fail_behind_ray_is_refused_before(compose_config, override, message):
    with pytest.raises(ValueError, match=message):
        main_ppo.check(compose_config(*QUICKSTART, override))


@pytest.mark.parametrize("estimator", ["gae", "ema_grpo"])
def test_estimators_of_verl_and_ours_are_known(compose_config, estimator):
    main_ppo.check(compose_config(*QUICKSTART, f"algorithm.adv_estimator={estimator}"))


def test_algorithm_block_still_becomes_verls_dataclass(compose_config):
    config = compose_config(*QUICKSTART)
    algorithm = {key: value for key, value in config.algorithm.items() if key not in ("g2rpo", "ema_grpo")}
    assert isinstance(omega_conf_to_dataclass(OmegaConf.create(algorithm), AlgoConfig), AlgoConfig)


def test_resolved_configuration_is_saved_with_the_run(compose_config, tmp_path):
    config = compose_config(*QUICKSTART, f"verl_ext.run_dir={tmp_path}/run")
    main_ppo.save_config(config)
    saved = OmegaConf.load(tmp_path / "run" / "config.yaml")
    assert saved.verl_ext.categories.grounding.envelope == [0, 8, 40, 96]
    assert "${" not in (tmp_path / "run" / "config.yaml").read_text()


def test_quickstart_script_passes_only_keys_that_exist(compose_config):
    script = (Path(__file__).parents[2] / "examples" / "quickstart.sh").read_text()
    overrides = re.findall(r"^    ((?:data|actor_rollout_ref|trainer|verl_ext)\.[a-z_.]+)=", script, re.MULTILINE)
    assert len(overrides) > 10
    config = compose_config(*QUICKSTART)
    missing = [key for key in overrides if OmegaConf.select(config, key, default="missing") == "missing"]
    assert missing == []
