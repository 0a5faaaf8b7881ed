"""The arms of the experiment: same model, data and budget. Their overrides stand behind the quickstart's own."""

from __future__ import annotations

NO_LENGTH = ("verl_ext.defaults.length_weight=0",)
NO_ENTROPY = (
    "verl_ext.defaults.entropy_coeff=0",
    "verl_ext.defaults.entropy_control=fixed",
    "verl_ext.defaults.entropy_spare_solved=false",
)
PLAIN = (*NO_LENGTH, *NO_ENTROPY)
G2RPO = ("algorithm.adv_estimator=g2rpo",)
GRPO = ("algorithm.adv_estimator=grpo",)
DR_GRPO = (
    *GRPO,
    "algorithm.norm_adv_by_std_in_grpo=false",
    "actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm",
    "actor_rollout_ref.actor.loss_scale_factor=96",
)


# A coefficient that may grow until the band holds, as in the quickstart's recipe, of which earlier runs had another.
HOLD = ("verl_ext.entropy_dual.ceiling=1.0",)
# And, as there, prompts whose responses are all right are not pushed away from certainty; ALL: they are.
SPARE = ("verl_ext.defaults.entropy_spare_solved=true",)
ALL = ("verl_ext.defaults.entropy_spare_solved=false",)
# The task whose entropy is driven out of its band, and no other, is shaped.
BAND = (
    *PLAIN,
    *HOLD,
    "+verl_ext.tasks.point_to.entropy_coeff=0.02",
    "+verl_ext.tasks.point_to.entropy_control=dual",
)


def stressed(kind: str) -> tuple[str, ...]:
    """A reward function that spoils one task: see stress_reward.py."""
    return (
        "reward.custom_reward_function.path=examples/evidence/stress_reward.py",
        f"reward.custom_reward_function.name={kind}",
    )


BASELINE = "grpo"
"""What the others are compared with."""
# In the order in which they are run.
ARMS: dict[str, tuple[str, ...]] = {
    "grpo": (*GRPO, *PLAIN),
    "g2rpo_published": (*G2RPO, *PLAIN, "algorithm.g2rpo.zero_signal=published", "algorithm.g2rpo.tie_epsilon=0"),
    "g2rpo": (*G2RPO, *PLAIN),
    "g2rpo_both": (*G2RPO, *HOLD, *ALL),
    "g2rpo_both_spared": (*G2RPO, *HOLD, *SPARE),
    "dr_grpo": (*DR_GRPO, *PLAIN),
    "ema_grpo": ("algorithm.adv_estimator=ema_grpo", *PLAIN),
    "gdpo": ("algorithm.adv_estimator=gdpo", *PLAIN, "+algorithm.gdpo_reward_keys=[accuracy,format]"),
    "g2rpo_entropy": (*G2RPO, *NO_LENGTH, *HOLD, *SPARE),
    "g2rpo_length": (*G2RPO, *NO_ENTROPY),
    # Stage 2 pushes the best of some groups down (advantages.md); re-centred, of none.
    "g2rpo_recentred": (*G2RPO, *PLAIN, "algorithm.g2rpo.recenter=true"),
    # And ranks no difference of the composed reward that is below 0.18, what a verdict is worth at the least.
    "g2rpo_ties": (*G2RPO, *PLAIN, "algorithm.g2rpo.recenter=true", "algorithm.g2rpo.tie_epsilon=0.15"),
    # Estimators that divide by a group's deviation are blind to scale: Dr.GRPO is the one that lets it through.
    "dr_grpo_scaled": (*DR_GRPO, *PLAIN, *stressed("scaled")),
    "g2rpo_scaled": (*G2RPO, *PLAIN, *stressed("scaled")),
    "dr_grpo_outliers": (*DR_GRPO, *PLAIN, *stressed("outliers")),
    "grpo_outliers": (*GRPO, *PLAIN, *stressed("outliers")),
    "g2rpo_outliers": (*G2RPO, *PLAIN, *stressed("outliers")),
    "g2rpo_collapse": (*G2RPO, *PLAIN, *stressed("collapsing")),
    "g2rpo_collapse_band": (*G2RPO, *BAND, *stressed("collapsing")),
    "g2rpo_explode": (*G2RPO, *PLAIN, *stressed("exploding")),
    "g2rpo_explode_band": (*G2RPO, *BAND, *stressed("exploding")),
}
TITLES = {
    "grpo": "GRPO",
    "g2rpo_published": "G2RPO, as published",
    "g2rpo": "G2RPO",
    "g2rpo_both": "G2RPO + entropy + length",
    "g2rpo_both_spared": "G2RPO + entropy + length, solved prompts spared",
    "dr_grpo": "Dr.GRPO",
    "ema_grpo": "EMA-GRPO",
    "gdpo": "GDPO",
    "g2rpo_entropy": "G2RPO + entropy, solved prompts spared",
    "g2rpo_length": "G2RPO + length",
    "g2rpo_recentred": "G2RPO, re-centred",
    "g2rpo_ties": "G2RPO, re-centred, ties within 0.15",
    "dr_grpo_scaled": "Dr.GRPO, digit_sum x 10",
    "g2rpo_scaled": "G2RPO, digit_sum x 10",
    "dr_grpo_outliers": "Dr.GRPO, digit_sum with outliers",
    "grpo_outliers": "GRPO, digit_sum with outliers",
    "g2rpo_outliers": "G2RPO, digit_sum with outliers",
    "g2rpo_collapse": "G2RPO, point_to collapses",
    "g2rpo_collapse_band": "G2RPO, point_to collapses, band",
    "g2rpo_explode": "G2RPO, point_to explodes",
    "g2rpo_explode_band": "G2RPO, point_to explodes, band",
}
MAIN = (
    *("grpo", "g2rpo_published", "g2rpo", "g2rpo_both", "g2rpo_both_spared"),
    *("dr_grpo", "ema_grpo", "gdpo", "g2rpo_entropy", "g2rpo_length"),
)
STRESSES = ("scaled", "outliers", "collapse", "explode")
# Arm in which one task is spoilt -> the same estimator without that.
STRESSED = {arm: arm.split("_" + kind)[0] for arm in ARMS for kind in STRESSES if "_" + kind in arm}
