from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest
from omegaconf import OmegaConf

import verl_ext
from reward_fns.settings import CATEGORIES, Envelope
from verl_ext.auto_envelope import AutoEnvelopeSettings
from verl_ext.config import Settings, TaskSettings, check, ema_settings, g2rpo_settings, load
from verl_ext.config_fields import EMA_KEYS, G2RPO_KEYS, LAYER_KEYS
from verl_ext.ema_grpo import EmaSettings
from verl_ext.entropy_control import DualSettings
from verl_ext.g2rpo import G2RPOSettings
from verl_ext.run_check import check_run

DEFAULTS_FILE = Path(verl_ext.__file__).parent / "configs" / "verl_ext_defaults.yaml"
MOVING = {"envelope_mode": "auto", "envelope": [0, 10, 50, 90]}
LAYERED = {
    "defaults": {"format_weight": 0.2, "length_weight": 0.2, "entropy_coeff": 0.01},
    "categories": {"math_vqa": {"length_weight": 0.3, "envelope": [0, 10, 50, 90], "entropy_band": [0.1, 0.4]}},
    "tasks": {"arithmetic": {"length_weight": 0.0, "envelope": None}},
}


OWN_ENVELOPES = {category: {"envelope": [0, 1, 2, 3]} for category in CATEGORIES}
STOCK = {"trainer.v1.trainer_mode": "sync", "verl_ext.defaults": {"entropy_coeff": 0}}


def run_config(**overrides: object) -> dict:
    """A configuration that passes, with values at dotted paths replaced."""
    config = OmegaConf.create(
        {
            "algorithm": {
                "adv_estimator": "g2rpo",
                "use_kl_in_reward": False,
                "filter_groups": {"enable": False, "metric": "reward"},
                "rollout_correction": {"bypass_mode": False},
                "g2rpo": {"tie_epsilon": 1e-6},
            },
            "actor_rollout_ref": {"rollout": {"n": 8, "response_length": 4096}},
            "trainer": {"v1": {"trainer_mode": "verl_ext_sync"}},
            "verl_ext": {},
        }
    )
    for path, value in overrides.items():
        OmegaConf.update(config, path, value, force_add=True)
    return OmegaConf.to_container(config, resolve=True)


@pytest.mark.parametrize(
    ("task", "category", "weights", "envelope", "band", "reason"),
    [
        ("relation", "spatial_reasoning", (0.2, 0.2), None, (0.2, 0.6), "defaults over the module's own"),
        ("digit_sum", "math_vqa", (0.2, 0.3), Envelope(0, 10, 50, 90), (0.1, 0.4), "category over defaults"),
        ("arithmetic", "math_vqa", (0.2, 0.0), None, (0.1, 0.4), "task over category, null switches off"),
    ],
)
def test_the_more_specific_layer_wins(task, category, weights, envelope, band, reason):
    got = load(LAYERED).for_task(task, category)
    assert (got.reward.format_weight, got.reward.length_weight) == weights, reason
    assert got.reward.envelope == envelope
    assert got.entropy_band == band
    assert got.entropy_coeff == 0.01


def test_without_a_block_the_defaults_hold():
    assert load(None) == load({}) == Settings()
    assert load({}).for_task("anything", "document") == TaskSettings()


def test_global_keys_reach_the_reward():
    got = load({"thinking_tag": "think", "verify_timeout": 2}).for_task("relation", "spatial_reasoning")
    assert (got.reward.thinking_tag, got.reward.verify_timeout) == ("think", 2.0)


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ({"task_labels": "task"}, "verl_ext.task_labels is an unknown key; the nearest is 'task_label'"),
        ({"default": {}}, "the nearest is 'defaults'"),
        ({"defaults": {"envelop": None}}, "verl_ext.defaults.envelop is an unknown key; the nearest is 'envelope'"),
        (
            {"categories": {"maths_vqa": {}}},
            "verl_ext.categories.maths_vqa is an unknown name; the nearest is 'math_vqa'",
        ),
        ({"tasks": {"arithmetics": {}}}, "verl_ext.tasks.arithmetics is an unknown name; the nearest is 'arithmetic'"),
        ({"tasks": {"": {}}}, "non-empty string"),
        ({"tasks": {3: {}}}, "non-empty string"),
        ({"tasks": []}, "verl_ext.tasks must map names"),
        ({"defaults": [1]}, "verl_ext.defaults must be a block"),
        ("task", "verl_ext must be a block"),
        ({"task_label": "problem"}, "must be one of task, category, problem_type"),
        ({"thinking_tag": "reason"}, "must be one of thinking, think"),
        ({"verify_timeout": 0}, "must be greater than 0"),
        ({"run_dir": 3}, "must be a path or null"),
        ({"defaults": {"envelope": [0, 10, 5, 20]}}, "min_start <= peak_start <= peak_end <= max_end"),
        ({"defaults": {"envelope": [-1, 10, 15, 20]}}, "0 <= min_start"),
        ({"defaults": {"envelope": [1, 2, 3]}}, "[min_start, peak_start, peak_end, max_end]"),
        ({"defaults": {"envelope": "1234"}}, "[min_start, peak_start, peak_end, max_end]"),
        ({"defaults": {"envelope": [0.5, 1, 2, 3]}}, "integers"),
        ({"defaults": {"entropy_band": [0.6, 0.2]}}, "low < high"),
        ({"defaults": {"entropy_band": [-0.1, 0.2]}}, "0 or more"),
        ({"defaults": {"entropy_band": 0.4}}, "[low, high]"),
        ({"defaults": {"entropy_coeff": float("nan")}}, "finite number"),
        ({"defaults": {"entropy_coeff": "0.02"}}, "finite number"),
        ({"defaults": {"length_weight": 1.5}}, "must lie in [0, 1]"),
        ({"defaults": {"length_weight": True}}, "finite number"),
        ({"defaults": {"length_gate": "never"}}, "correct, positive, always"),
        ({"defaults": {"length_scope": "answer"}}, "response, thinking"),
        ({"defaults": {"length_of_truncated": 1}}, "true or false"),
        ({"defaults": {"envelope_mode": "dynamic"}}, "static, auto"),
        ({"defaults": {"entropy_warmup_steps": -1}}, "integer of 0 or more"),
        ({"defaults": {"entropy_control": "pid"}}, "fixed, dual"),
        ({"auto_envelope": {"quantile": []}}, "verl_ext.auto_envelope.quantile is an unknown key"),
        ({"auto_envelope": {"quantiles": [0.1, 0.2]}}, "four ascending"),
        ({"auto_envelope": {"warmup": 2000}}, "verl_ext.auto_envelope.warmup is 2000; it must lie in 1..window"),
        ({"entropy_dual": {"ceiling": 0}}, "entropy_dual.ceiling is 0.0"),
        ({"entropy_dual": 3}, "verl_ext.entropy_dual must be a block"),
        (
            {"defaults": {"format_weight": 0.5, "length_weight": 0.5}},
            "verl_ext.defaults: format_weight + length_weight",
        ),
        ({"categories": {"document": {"format_weight": 0.9}}}, "verl_ext.categories.document: format_weight"),
        ({"tasks": {"arithmetic": {"format_weight": 0.9}}}, "verl_ext.tasks.arithmetic: format_weight"),
        ({"sampling": {"base": "uniform"}}, "verl_ext.sampling.base='uniform': must be one of rows, equal"),
        ({"sampling": {"need_bound": 0.5}}, "verl_ext.sampling.need_bound=0.5: must be 1 or more"),
        ({"filter": {"accuracy": [0.9, 0.1]}}, "verl_ext.filter.accuracy=[0.9, 0.1]: must have low < high"),
        ({"filter": {"max_round": 3}}, "the nearest is 'max_rounds'"),
        ({"seeded_rollouts": 1}, "must be true or false"),
        (
            {"categories": {"math_vqa": {"length_weight": 0.6}}, "tasks": {"arithmetic": {"format_weight": 0.4}}},
            "verl_ext.tasks.arithmetic: format_weight + length_weight is 1",
        ),
    ],
)
def test_a_bad_block_is_an_error_with_path_and_remedy(block, message):
    known = {"arithmetic": SimpleNamespace(category="math_vqa"), "relation": SimpleNamespace(category="document")}
    with pytest.raises(ValueError) as error:
        load(block, known_tasks=known)
    assert message in str(error.value)


def test_all_problems_come_in_one_message():
    with pytest.raises(ValueError, match=r"^4 problem\(s\)") as error:
        load({"task_label": 1, "defaults": {"x": 1, "entropy_band": [1, 0]}, "categories": {"maths": {}}})
    assert all(path in str(error.value) for path in ("task_label", "defaults.x", "entropy_band", "categories.maths"))


def test_tasks_are_free_names_unless_the_known_ones_are_given():
    assert load({"tasks": {"my own": {"length_weight": 0.0}}}).for_task("my own", "document").reward.length_weight == 0
    with pytest.raises(ValueError, match="my own"):
        load({"tasks": {"my own": {}}}, known_tasks=["relation"])


def test_an_unknown_category_of_a_row_is_an_error():
    with pytest.raises(ValueError, match="'chart_vqa'"):
        Settings().for_task("bar_value", "charts")


@pytest.mark.parametrize(
    ("block", "shapes"),
    [
        ({}, True),
        ({"defaults": {"entropy_coeff": 0}}, False),
        ({"defaults": {"entropy_band": None}}, False),
        ({"defaults": {"entropy_coeff": 0}, "tasks": {"relation": {"entropy_coeff": 0.1}}}, True),
        ({"defaults": {"entropy_band": None}, "categories": {"document": {"entropy_coeff": 0.1}}}, False),
    ],
)
def test_shapes_entropy_tells_whether_any_task_has_a_term(block, shapes):
    assert load(block).shapes_entropy is shapes


@pytest.mark.parametrize(
    ("block", "moves"),
    [
        ({}, False),
        ({"defaults": {"envelope_mode": "auto"}}, False),
        ({"defaults": {"envelope_mode": "auto"}, "categories": {"document": {"envelope": [0, 1, 2, 3]}}}, True),
        ({"tasks": {"relation": {"envelope_mode": "auto", "envelope": [0, 1, 2, 3]}}}, True),
    ],
)
def test_moves_envelopes_tells_whether_any_envelope_follows_lengths(block, moves):
    assert load(block).moves_envelopes is moves


def test_shaping_settings_reach_the_task_and_its_reward():
    block = {
        "defaults": {"length_scope": "thinking", "length_of_truncated": True, "envelope_mode": "auto"},
        "tasks": {"relation": {"entropy_control": "dual", "entropy_warmup_steps": 5}},
        "auto_envelope": {"warmup": 7},
        "entropy_dual": {"ceiling": 0.5},
    }
    settings = load(block)
    got = settings.for_task("relation", "spatial_reasoning")
    assert (got.reward.length_scope, got.reward.length_of_truncated) == ("thinking", True)
    assert (got.envelope_mode, got.entropy_control, got.entropy_warmup_steps) == ("auto", "dual", 5)
    assert (settings.auto_envelope.warmup, settings.entropy_dual.ceiling) == (7, 0.5)


def test_the_defaults_file_equals_the_defaults_in_code_but_for_the_envelopes():
    config = OmegaConf.to_container(OmegaConf.load(DEFAULTS_FILE))
    settings = check(config)
    assert g2rpo_settings(config["algorithm"]["g2rpo"]) == G2RPOSettings()
    assert ema_settings(config["algorithm"]["ema_grpo"]) == EmaSettings()
    assert set(config["algorithm"]["g2rpo"]) == set(G2RPO_KEYS)
    assert settings.for_task("x", "document").reward.envelope is not None
    plain = load({**config["verl_ext"], "categories": {}})
    assert all(plain.for_task("x", category) == TaskSettings() for category in CATEGORIES)
    assert (plain.auto_envelope, plain.entropy_dual) == (AutoEnvelopeSettings(), DualSettings())
    assert set(config["verl_ext"]["auto_envelope"]) == {item.name for item in dataclasses.fields(AutoEnvelopeSettings)}
    assert set(config["verl_ext"]["entropy_dual"]) == {item.name for item in dataclasses.fields(DualSettings)}
    assert set(config["verl_ext"]["defaults"]) == set(LAYER_KEYS) - {"envelope"}  # every category has its own
    assert (plain.task_label, plain.run_dir, plain.poll_interval) == ("task", None, Settings().poll_interval)


@pytest.mark.parametrize(
    ("category", "start", "shaped"),
    [
        ("general_vqa", 950, 1400),
        ("math_vqa", 620, 1100),
        ("chart_vqa", 300, 850),
        ("spatial_reasoning", 400, 550),
        ("grounding", 125, 65),
        ("document", 105, 45),
    ],
)
def test_the_default_envelopes_lead_from_the_paper_s_first_mean_length_to_its_last(category, start, shaped):
    block = OmegaConf.to_container(OmegaConf.load(DEFAULTS_FILE).verl_ext)
    envelope = load(block).for_task("x", category).reward.envelope
    assert envelope.peak_start <= shaped <= envelope.peak_end
    assert envelope.min_start < start < envelope.peak_start or envelope.peak_end < start < envelope.max_end


def test_estimator_settings_are_read_and_checked():
    assert g2rpo_settings(None) == G2RPOSettings()
    assert g2rpo_settings(OmegaConf.create({"task_map": "none", "recenter": True})) == G2RPOSettings(
        task_map="none", recenter=True
    )
    with pytest.raises(ValueError, match=r"(?s)2 problem.*zero_signals.*'zero_signal'.*recenter=1"):
        g2rpo_settings({"zero_signals": "zero", "recenter": 1})


def test_every_estimator_setting_can_be_configured():
    assert set(G2RPO_KEYS) == {item.name for item in dataclasses.fields(G2RPOSettings)}
    assert set(EMA_KEYS) == {item.name for item in dataclasses.fields(EmaSettings)}
    got = g2rpo_settings({"task_tie_epsilon": {"shape_box": 0.05}, "clip": 3, "success_floor": None})
    assert (got.task_tie_epsilon, got.clip, got.success_floor) == ({"shape_box": 0.05}, 3.0, None)
    assert ema_settings({"decay": 0.9}) == EmaSettings(decay=0.9)


@pytest.mark.parametrize(
    "block",
    [
        {"task_tie_epsilon": 0.1},
        {"task_tie_epsilon": {"a": -1}},
        {"components": {"": 1.0}},
        {"components": {"accuracy": "1"}},
        {"task_min_rows": 0},
        {"clip": 0},
        {"group_map": "rank"},
        {"group_map": ["gaussian"]},
    ],
)
def test_estimator_settings_out_of_range_are_an_error(block):
    with pytest.raises(ValueError, match=rf"algorithm\.g2rpo\.{next(iter(block))}="):
        g2rpo_settings(block)


def test_ema_settings_out_of_range_are_an_error():
    with pytest.raises(ValueError, match=r"(?s)2 problem.*decay=1.*guard=0"):
        ema_settings({"decay": 1, "guard": 0})


def test_a_misspelt_task_has_no_tie_epsilon():
    config = run_config(**{"algorithm.g2rpo.task_tie_epsilon": {"refcocoo": 0.1}})
    assert check(config) == Settings()  # names are free
    with pytest.raises(ValueError, match="refcocoo is an unknown task; the nearest is 'refcoco'"):
        check(config, known_tasks=["refcoco", "mmmu"])


@pytest.mark.parametrize(("modules", "said"), [("", "is not set"), ("birds", "is 'birds'")])
def test_a_task_like_none_names_no_nearest_but_where_ones_own_come_from(monkeypatch, modules, said):
    monkeypatch.setenv("VERL_USE_EXTERNAL_MODULES", modules)
    with pytest.raises(ValueError, match=f"unknown name; known: mmmu; VERL_USE_EXTERNAL_MODULES {said}"):
        load({"tasks": {"wingspan": {}}}, known_tasks=["mmmu"])


def test_the_nearest_name_does_not_depend_on_case():
    with pytest.raises(ValueError, match="the nearest is 'mmmu'"):
        load({"tasks": {"MMMU": {}}}, known_tasks=["mmmu", "refcoco"])


def test_components_given_stand_alone(compose_config):
    """Trap: Hydra merges mappings, so that parts of a default would keep their weight."""
    config = compose_config("algorithm.g2rpo.components={accuracy: 2.0}")
    assert g2rpo_settings(OmegaConf.to_container(config.algorithm.g2rpo)).components == {"accuracy": 2.0}


def test_a_sound_run_passes():
    assert check_run(run_config(), Settings()) == []
    assert check(run_config()) == Settings()
    assert check_run({}, Settings()) == []


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"algorithm.use_kl_in_reward": True}, "use_kl_loss"),
        ({"algorithm.use_kl_in_reward": True, "algorithm.adv_estimator": "g2rpo_gdpo"}, "use_kl_loss"),
        ({"actor_rollout_ref.rollout.n": 1}, "group of one"),
        ({"actor_rollout_ref.rollout.n": 1, "algorithm.adv_estimator": "ema_grpo"}, "group of one"),
        ({"algorithm.ema_grpo": {"decays": 0.5}}, "'decay'"),
        ({"algorithm.filter_groups.enable": True}, "use accuracy"),
        ({"algorithm.filter_groups": {"enable": True, "metric": "score"}}, "use accuracy"),
        ({"algorithm.rollout_correction.bypass_mode": True}, "bypass_mode"),
        ({"reward.reward_model.enable": True}, "enable_resource_pool=true"),
        (
            {
                "actor_rollout_ref.actor.strategy": "megatron",
                "actor_rollout_ref.actor.entropy_from_logits_with_chunking": True,
            },
            "fails under Megatron",
        ),
        ({"distillation.enabled": True}, "distillation.enabled"),
        ({"trainer.v1.trainer_mode": "sync"}, "use verl_ext_sync"),
        ({"algorithm.g2rpo.tie_epsilonn": 0.1}, "'tie_epsilon'"),
        ({"trainer.use_v1": False}, "legacy trainer"),
        ({"verl_ext.sampling": {"by_need": True}, "data.dataloader_num_workers": 8}, "dataloader_num_workers=0"),
        (
            {"reward.custom_reward_function.path": "mine.py", "verl_ext.defaults": MOVING},
            "custom_reward_function.path brings a formula of its own",
        ),
        (
            {"trainer.v1.trainer_mode": "sync", "verl_ext.defaults": {**MOVING, "entropy_coeff": 0}},
            "does not move envelopes; use verl_ext_sync",
        ),
        (
            {"verl_ext.defaults.envelope": [0, 1, 2, 3], "verl_ext.categories": OWN_ENVELOPES},
            "verl_ext.defaults.envelope is overruled",
        ),
        (
            {"verl_ext.task_label": "category", "algorithm.g2rpo.task_tie_epsilon": {"documents": 0.1}},
            "task_tie_epsilon: documents is an unknown category; the nearest is 'document'",
        ),
        ({**STOCK, "verl_ext.sampling": {"base": "equal"}}, "does not know verl_ext.sampling; use verl_ext_sync"),
        ({**STOCK, "verl_ext.task_label": "category"}, "does not know verl_ext.task_label=category"),
        ({**STOCK, "algorithm.adv_estimator": "g2rpo_gdpo"}, "does not know algorithm.adv_estimator=g2rpo_gdpo"),
        ({"actor_rollout_ref.rollout.response_length": 64, "verl_ext.tasks.x.envelope": [64, 70, 80, 90]}, "end at 64"),
    ],
)
def test_parts_that_cannot_work_together_are_refused(changes, message):
    config = run_config(**changes)
    problems = check_run(config, load(config["verl_ext"]))
    assert len(problems) == 1
    assert message in problems[0]
    with pytest.raises(ValueError, match=message):
        check(config)


@pytest.mark.parametrize(
    "changes",
    [
        {"algorithm.use_kl_in_reward": True, "algorithm.adv_estimator": "grpo"},
        {"algorithm.rollout_correction.bypass_mode": True, "verl_ext.defaults.entropy_coeff": 0},
        {"distillation.enabled": True, "verl_ext.defaults.entropy_coeff": 0},
        {"algorithm.filter_groups": {"enable": True, "metric": "accuracy"}},
        {"verl_ext.sampling": {"weights": {"docvqa": 2}}, "data.dataloader_num_workers": 8},
        {"trainer.v1.trainer_mode": "sync", "verl_ext.defaults.entropy_band": None},
        {"reward.reward_model": {"enable": True, "enable_resource_pool": True}},
        {"actor_rollout_ref.actor": {"strategy": "fsdp2", "entropy_from_logits_with_chunking": True}},
    ],
)
def test_parts_that_can_work_together_are_not_refused(changes):
    check(run_config(**changes))


def test_check_reports_block_and_run_together():
    config = run_config(**{"algorithm.use_kl_in_reward": True, "verl_ext.defaults.format_weight": 2.0})
    with pytest.raises(ValueError, match=r"(?s)2 problem.*format_weight.*use_kl_in_reward"):
        check(config)
