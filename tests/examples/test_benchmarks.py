"""The benchmarks' own arithmetic, the report of all of them, and the profile of a made-up run."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BENCHMARKS = ROOT / "examples" / "benchmarks"
sys.path.insert(0, str(BENCHMARKS))
import all as all_benchmarks  # noqa: E402
import measure  # noqa: E402
import step_profile  # noqa: E402
import versions  # noqa: E402


@pytest.mark.parametrize("power", [0.0, 1.0, 2.0])
def test_growth_is_the_exponent_of_a_power_law(power):
    sizes = [10, 100, 1_000]
    assert measure.exponent(sizes, [3e-6 * size**power for size in sizes]) == pytest.approx(power)


def test_growth_from_one_size_is_refused():
    with pytest.raises(ValueError, match=r"two sizes or more, not \[8, 8\]"):
        measure.exponent([8, 8], [1.0, 1.0])


def test_ratios_pair_the_repeats_that_ran_side_by_side():
    slow = [1.0, 10.0, 1.0]  # a slow moment of the machine hits both
    assert measure.ratios([2 * one for one in slow], slow) == [2, 2, 2]
    assert measure.spread([3.0, 1.0, 2.0]) == "2.00 (1.00 to 3.00)"


def test_every_script_beside_it_is_run_or_named_as_a_helper():
    beside = {path.name for path in BENCHMARKS.glob("*.py")}
    assert beside == {*all_benchmarks.SCRIPTS, *all_benchmarks.HELPERS}


def test_the_report_keeps_what_a_failed_script_said(tmp_path, monkeypatch):
    (tmp_path / "good.py").write_text(
        "import json, sys; print('a table')\n"
        "json.dump({'ratios': {'us / them': [0.5, 1, 2]}}, open(sys.argv[sys.argv.index('--json') + 1], 'w'))\n"
    )
    (tmp_path / "bad.py").write_text("raise SystemExit('no such peer')\n")
    monkeypatch.setattr(all_benchmarks, "HERE", tmp_path)
    scripts = {"good.py": all_benchmarks.Script("Good"), "bad.py": all_benchmarks.Script("Bad", json=False)}
    results = [all_benchmarks.run(name, one, quick=True, out=tmp_path) for name, one in scripts.items()]
    assert [one.failed for one in results] == [False, True]
    report = all_benchmarks.report(results, quick=True)
    for wanted in (
        "| us / them | 1.000 (0.500 to 2.000) | 3 |",
        "a table",
        "Bad (failed)",
        "no such peer",
        "verl 0.9.1",
    ):
        assert wanted in report


LOG = """\
[2026-01-01 10:00:00,000][verl.plugin.platform] earlier start
ray init kwargs: {}
[2026-01-01 11:00:00,000][verl.plugin.platform] Platform override
ray init kwargs: {}
2026-01-01 11:00:04,000\tINFO worker.py:2038 -- Started a local Ray instance.
(TaskRunner pid=1) INFO:2026-01-01 11:00:24,500:train and validate dataloader initialized, train dataset size: 1
(Server pid=2) INFO:2026-01-01 11:00:20,000:a line that came late
(TaskRunner pid=1) INFO:2026-01-01 11:00:54,500:checkpoint engine manager initialized
(TaskRunner pid=1) Training Progress:   0%|          | 0/2 [00:00<?, ?it/s]
"""


def test_profile_of_the_last_start_reads_stamps_in_any_format_and_order():
    seconds = dict(step_profile.start_phases(LOG))
    assert list(seconds.values()) == [4.0, 20.5, 30.0, 0.0]
    assert step_profile.start_phases("no start") == []


def test_profile_of_a_start_leaves_out_the_time_since_the_run_before():
    text = LOG.replace("[2026-01-01 11:00:00,000][verl.plugin.platform] Platform override\n", "")
    text = text.replace("[2026-01-01 10:00:00,000]", "(TaskRunner pid=9) INFO:2026-01-01 10:00:00,000:")
    assert list(dict(step_profile.start_phases(text)).values()) == [0.0, 20.5, 30.0, 0.0]


def test_profile_of_steps_adds_up_and_counts_a_missing_timer_as_none():
    entries = [{"step": 0}, step(1, gen=3.0, step=4.0), step(2, gen=1.0, save_checkpoint=0.5, step=2.0)]
    phases = {title: list(seconds) for title, seconds in step_profile.step_phases(entries)}
    assert phases[step_profile.STEP["gen"]] == [3, 1]
    assert phases[step_profile.STEP["save_checkpoint"]] == [0, 0.5]
    assert phases["other"] == [1, 0.5]
    with pytest.raises(ValueError, match="no step with timing_s/step"):
        step_profile.step_phases(entries[:1])


@pytest.mark.parametrize(("timers", "said"), [({}, "inside `gen`"), ({"reward": 2.0}, "after generation, 2.00 s")])
def test_profile_says_whether_rewards_hide_behind_generation(timers, said):
    assert said in step_profile.rewards_line([step(1, gen=3.0, step=6.0, **timers)])


def test_profile_of_a_run_folder_judges_its_answers_again(tmp_path):
    row = {"task": "arithmetic", "output": "<thinking>a</thinking><answer>8</answer>", "gts": "8", "response_tokens": 5}
    write(tmp_path / "validation" / "2.jsonl", [row | {"accuracy": 1.0}, row | {"gts": "9", "accuracy": 1.0}])
    write(tmp_path / "metrics.jsonl", [step(1, gen=3.0, step=4.0) | {"task/arithmetic/rows": 100.0}])
    (tmp_path / "train.log").write_text(LOG)
    text = "\n".join(step_profile.describe(tmp_path))
    for wanted in ("Start: 54 s", "Steps: 1", "1 of 2 judged otherwise", "for the 100 responses"):
        assert wanted in text


def step(number, **timers):
    return {"step": number} | {f"timing_s/{name}": seconds for name, seconds in timers.items()}


def write(path, rows):
    path.parent.mkdir(exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


NEW = """if [ -z "$MODEL" ] && [ ! -e "$CACHE/model" ]; then"""
OLDER = (
    """[ -n "$MODEL" ] || [ -e "$CACHE/model" ] || { true;""",
    """[ -n "$MODEL" ] || "$PYTHON" -m verl_ext.tiny_model; true """,
    """"$PYTHON" -m verl_ext.tiny_model; true """,
)


@pytest.mark.parametrize("start", [NEW, *OLDER])
def test_versions_leaves_out_what_prepares_and_nothing_else(start):
    whole = (ROOT / "examples" / "quickstart.sh").read_text().replace(NEW, start)
    assert f"\n{start}" in whole
    kept = versions.training_only(whole)
    dropped = [line for line in whole.splitlines() if line not in kept.splitlines()]
    assert len(dropped) == 3 and "verl_ext.main_ppo" in kept and "model.path" in kept
    with pytest.raises(ValueError, match="-m data_prep"):
        versions.training_only(whole.replace("-m data_prep", ""))
