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
