"""The arms of the experiment are runs that verl and we would start; spoilt rewards spoil one task alone."""

from pathlib import Path

import pytest
from hydra import compose, initialize_config_dir

from examples.evidence import stress_reward
from examples.evidence.arms import ARMS, TITLES
from verl_ext import main_ppo

ROOT = Path(__file__).parents[2]
QUICKSTART = ("+machine=cpu", "+recipe=quickstart", "actor_rollout_ref.model.path=none", "data.max_response_length=96")


def test_every_arm_has_a_title():
    assert list(ARMS) == list(TITLES)


@pytest.mark.parametrize("arm", ARMS)
def test_arm_is_a_valid_run(arm):
    with initialize_config_dir(str(ROOT / "verl_ext" / "configs"), version_base=None):
        config = compose("g2rpo_trainer", overrides=[*QUICKSTART, "algorithm.adv_estimator=g2rpo", *ARMS[arm]])
    main_ppo.check(config)
    if path := (config.reward.get("custom_reward_function") or {}).get("path"):
        assert (ROOT / path).is_file()
        assert hasattr(stress_reward, config.reward.custom_reward_function.name)


def test_one_task_is_scaled():
    answer = "<thinking>x</thinking><answer>7</answer>"
    spoilt = stress_reward.scaled("offline/digit_sum", answer, "7", {"task": "digit_sum"})
    other = stress_reward.scaled("offline/arithmetic", answer, "7", {"task": "arithmetic"})
    assert spoilt["score"] == pytest.approx(10 * other["score"])
    assert spoilt["accuracy"] == other["accuracy"] == 1


def test_one_response_in_twenty_is_an_outlier_and_always_the_same():
    def scores(task: str) -> list[float]:
        texts = [f"<thinking>{n}</thinking><answer>7</answer>" for n in range(400)]
        source, extra = f"offline/{task}", {"task": task}
        return [stress_reward.outliers(source, text, "7", extra)["score"] for text in texts]

    spoilt = scores("digit_sum")
    assert spoilt == scores("digit_sum")
    assert 5 < sum(score > 2 for score in spoilt) < 50
    assert max(scores("arithmetic")) <= 1
