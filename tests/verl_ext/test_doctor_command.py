"""The doctor's command: what it prints where, its exit codes, and what it says of sampling."""

import json
from collections import Counter

import pytest

from verl_ext.doctor import __main__ as command
from verl_ext.doctor import configuration
from verl_ext.doctor.finding import fault, note
from verl_ext.sampler import SamplingSettings


def stub(monkeypatch, *found):
    """Findings in place of an examination, during which a library prints."""

    def examine(overrides, **_):
        print("a library says something")
        yield from found

    monkeypatch.setattr(command, "examine", examine)


@pytest.mark.parametrize(
    ("found", "code"), [([note("data", "fine")], 0), ([note("data", "x"), fault("data", "y", "")], 1)]
)
def test_standard_output_is_json_and_nothing_else(monkeypatch, capsys, found, code):
    stub(monkeypatch, *found)
    assert command.main(["--json"]) == code
    out, err = capsys.readouterr()
    assert len(json.loads(out)["findings"]) == len(found)
    assert "a library says something" in err


def test_text_has_the_findings_and_their_number_alone(monkeypatch, capsys):
    stub(monkeypatch, note("data", "fine"), fault("model", "wrong", "mend it"))
    assert command.main([]) == 1
    lines = [line.strip() for line in capsys.readouterr().out.splitlines()]
    assert [line.split()[0] for line in lines] == ["data", "FAULT", "→", "1"]
    assert lines[-1] == "1 note, 1 fault"


TASKS = Counter({("arithmetic", "math_vqa"): 30, ("digit_box", "grounding"): 10})


@pytest.mark.parametrize(
    ("sampling", "shares"),
    [
        (SamplingSettings(), {}),
        (SamplingSettings(base="equal"), {"arithmetic": 0.5, "digit_box": 0.5}),
        (SamplingSettings(weights={"digit_box": 3.0}), {"arithmetic": 0.5, "digit_box": 0.5}),
        (SamplingSettings(weights={"arithmetic": 0.0}), {"arithmetic": 0.0, "digit_box": 1.0}),
    ],
)
def test_the_share_that_training_draws(sampling, shares):
    assert configuration.sampling_shares(sampling, TASKS) == pytest.approx(shares)


@pytest.mark.parametrize(
    ("override", "level", "message"),
    [
        ("+verl_ext.sampling.weights.digit_boxes=2", "fault", "no rows of digit_boxes"),
        ("verl_ext.sampling.base=equal", "note", "drawn as 50.0 % at first"),
    ],
)
def test_sampling_of_the_configuration(override, level, message):
    run = command.compose_run(["+machine=cpu", "+recipe=quickstart", override])
    found = [one for one in configuration.task_findings(run, TASKS) if message in one.message]
    assert found and found[0].level == level


@pytest.mark.parametrize(
    ("override", "fix"),
    [
        ("verl_ext.defaults.entropy_coef=0.1", "the nearest key is verl_ext.defaults.entropy_coeff"),
        ("data.train_bach_size=4", "the nearest key is data.train_batch_size"),
        ("verl_ext.defaults.envelope=[0,1,2,3]", "needs a plus: +verl_ext.defaults.envelope=…"),
        ("verl_ext.tasks.mmmu.entropy_coeff=0", "needs a plus: +verl_ext.tasks.mmmu.entropy_coeff=…"),
        ("+recipe=mine", "mend the override that the message names"),
    ],
)
def test_what_to_do_about_an_override_that_does_not_compose(override, fix):
    with pytest.raises(ValueError) as caught:
        command.compose_run([override])
    assert fix in command.remedy(str(caught.value))


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--no-rayy"], "unknown option --no-rayy; beside"),
        (["data.seed=1", "-x"], "unknown option -x"),
        (["--sample", "-3"], "--sample -3: it must be 1 or more"),
        (["--config-dir", "/nowhere"], "--config-dir /nowhere is no folder"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_examined(monkeypatch, capsys, words, message):
    stub(monkeypatch)
    with pytest.raises(SystemExit) as caught:
        command.main(words)
    assert caught.value.code == 2 and message in capsys.readouterr().err


def test_configurations_of_ones_own_are_found_as_main_ppo_finds_them(monkeypatch, tmp_path):
    (tmp_path / "recipe").mkdir()
    (tmp_path / "recipe" / "mine.yaml").write_text("# @package _global_\ndata: {seed: 17}\n")
    seeds = []

    def examine(overrides, *, config_dir, **_):
        seeds.append(command.compose_run(overrides, config_dir).data.seed)
        yield note("data", "fine")

    monkeypatch.setattr(command, "examine", examine)
    monkeypatch.chdir(tmp_path.parent)
    assert command.main(["--config-dir", tmp_path.name, "+recipe=mine"]) == 0 and seeds == [17]
