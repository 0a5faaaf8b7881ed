"""Tables and figures of an incomplete grid, from records as grid.py stores them."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evidence"))
import cells
import gradient_tables
import grid
import records
import short_table
import tables
from arms import ARMS, MAIN, STRESSED, TITLES
from test_evidence import RIGHT, WRONG, run_folder

TASKS = {"bar_value": "chart_vqa", "digit_sum": "math_vqa", "point_to": "spatial_reasoning"}
STEPS = 24


def step(number: int, right: float) -> dict:
    entry: dict = {"step": number, "response_length/mean": 20.0}
    for task, category in TASKS.items():
        own = {"accuracy": right, "reward": right, "rows": 16.0, "response_length/mean": 20.0, "entropy": 0.3}
        own |= {"entropy_in_band": float(number % 2), "zero_signal_groups": 0.25, "zero_signal_weight": 0.0}
        own["token_share"] = 1 / 3 if number % 3 else 1 / 2
        # One task is not in every batch.
        if task != "point_to" or number % 3:
            entry |= {
                f"{kind}/{name}/{key}": v
                for kind, name in (("task", task), ("category", category))
                for key, v in own.items()
            }
    return entry


def figures(*norms: float, **more: float) -> dict:
    own = {"norm": dict(zip(TASKS, norms, strict=True)), "whole": 2.0, "silent_push": 0.5}
    return own | {"silent_groups": 0.25, "silent_weight": 0.1, "cosine": 0.1, "least_cosine": -0.2} | more


def measured() -> dict:
    estimators = {"GRPO": figures(1, 1, 0), gradient_tables.OWN: figures(1, 1, 2)}
    draw = {"estimators": estimators, "accuracy": dict.fromkeys(TASKS, 0.5)}
    return {"prompts": 4, "responses": 8, "seeds": [0, 1], "draws": [draw, draw]}


def record(
    arm: str, seed: int, *, gain: float = 0.5, peak: float = 0.8, model: str = "w", steps: int = STEPS, lr: float = 1.0
) -> dict:
    names = [f"offline/{task}/{index}" for task in TASKS for index in range(40)]
    rng = np.random.default_rng(seed)
    after = {name: float(rng.random() < gain) for name in names}
    return {
        "arm": arm, "seed": seed, "steps": steps, "model": model, "seconds": 600, "overrides": list(ARMS[arm]),
        "config": {"optim.lr": lr, "algorithm.adv_estimator": arm, "critic.adv_estimator": arm},
        "summary": {"tasks": dict(TASKS)},
        "validation": {"0": dict.fromkeys(names, 0.0), str(STEPS): after},
        "metrics": [{"step": 0}, *(step(at, min(peak, at / 10)) for at in range(1, STEPS + 1))],
        "rewards": {}, "rewards_check": {"compared": 3, "accuracy_differs": 0, "length_differs": 1},
        "gradients": measured(),
        "origin": [{"commit": letter * 40, "changed_files": [], "versions": {}} for letter in "ab"],
    }  # fmt: skip


def stored(results: Path, runs: dict[str, list[int]], **options: Any) -> Path:
    for arm, seeds in runs.items():
        for seed in seeds:
            records.write(results / f"{arm}-{seed}.json.gz", record(arm, seed, **options))
    return results


@pytest.mark.parametrize(
    "runs",
    [
        {"grpo": [0]},
        {"g2rpo": [1]},
        {"grpo": [0, 1, 2], "g2rpo": [0, 1], "g2rpo_both": [2]},
        {"grpo": [0], "g2rpo_collapse": [0], "g2rpo_explode_band": [0, 1], "dr_grpo_scaled": [0]},
    ],
)
def test_any_part_of_the_grid_makes_tables_and_figures(tmp_path, capsys, runs):
    stored(tmp_path, runs)
    (tmp_path / "gradients.json").write_text(json.dumps(measured() | {"commit": "c" * 40, "versions": {}}))
    tables.main(tmp_path)
    text = (tmp_path / "tables.md").read_text()
    assert text in capsys.readouterr().out
    for arm in runs:
        assert f"| {TITLES[arm]} | {len(runs[arm])} |" in text
    for title in tables.PER_CATEGORY:
        assert f"## {title}" in text
    assert "| aaaaaaaaaa, then bbbbbbbbbb |" in text
    widths = {line.count("|") for line in text.split("## Summary")[1].split("\n\n")[1].splitlines()}
    assert len(widths) == 1
    assert (tmp_path / "training.png").stat().st_size > 10_000
    assert (tmp_path / "band.png").exists() == any("collapse" in arm or "explode" in arm for arm in runs)
    assert ("## One task under stress" in text) == any(arm in STRESSED for arm in runs)
    assert "After training, each arm's own estimator" in (tmp_path / "gradients.md").read_text()


def test_without_stored_runs_the_command_says_what_to_do(tmp_path):
    with pytest.raises(SystemExit, match=r"grid\.py"):
        tables.main(tmp_path)


def test_every_stressed_arm_stands_beside_its_own_estimator():
    assert set(STRESSED) <= set(ARMS) and set(MAIN) <= set(ARMS)
    for arm, base in STRESSED.items():
        assert ARMS[arm][: len(ARMS[base])] == ARMS[base] or arm.endswith("_band")
        assert ARMS[arm][0] == ARMS[base][0]


def test_a_shaping_stands_beside_what_it_is_added_to(tmp_path):
    stored(tmp_path, {"g2rpo": [0, 1]}, gain=0.3)
    runs = records.load(stored(tmp_path, {"g2rpo_length": [1, 2]}, gain=0.8))
    (line,) = [line for line in short_table.said(runs) if line.startswith("G2RPO + length against G2RPO: +")]
    assert line.endswith("(over rows, pairs: 1).")


def test_the_early_gain_is_that_of_the_first_steps_over_pairs(tmp_path):
    stored(tmp_path, {"grpo": [0, 1]}, peak=0.4)
    runs = records.load(stored(tmp_path, {"g2rpo": [0, 5]}, peak=0.5))
    # Steps 1 to 4 are as right in both; of the 20 of the window, 16 are right by 0.1 more (of a task that is not in
    # every batch, by 11 of 14).
    assert tables.early_gain(runs, "g2rpo") == f"{100 * 0.1 * (2 * 16 / 20 + 11 / 14) / 3:.1f}"
    assert tables.early_gain(runs, "grpo") == "–"


def test_intervals_hold_seeds_from_three_on_and_rows_below():
    before = {f"offline/digit_sum/{at}": 0.0 for at in range(100)}
    afters = [{name: float(at < share) for at, name in enumerate(before)} for share in (40, 50, 60)]
    mean, half = cells.difference([(before, after) for after in afters])
    assert mean == pytest.approx(0.5)
    assert half == pytest.approx(4.3027 * 0.1 / np.sqrt(3), rel=1e-4)
    mean, half = cells.difference([(before, afters[1])])
    assert half == pytest.approx(2 * np.sqrt(0.25 / 99), rel=1e-6)
    assert cells.points([]) == "–"


def test_arms_are_paired_by_seed_and_row(tmp_path):
    runs = records.load(stored(tmp_path, {"grpo": [0, 1], "g2rpo": [1, 2]}))
    pairs = records.against(runs, "g2rpo", "grpo", ["digit_sum"])
    assert len(pairs) == 1 and len(pairs[0][0]) == 40
    assert cells.difference(pairs) == (0.0, 0.0)


def test_runs_from_other_weights_are_not_paired(tmp_path):
    stored(tmp_path, {"grpo": [0]}, model="other")
    runs = records.load(stored(tmp_path, {"grpo": [1], "g2rpo": [0, 1]}))
    assert len(records.against(runs, "g2rpo", "grpo")) == 1
    assert tables.steps_to_baseline(runs, "g2rpo").count(",") == 0


def test_runs_of_other_lengths_are_not_paired(tmp_path):
    stored(tmp_path, {"grpo": [0]}, steps=STEPS + 1)
    runs = records.load(stored(tmp_path, {"grpo": [1], "g2rpo": [0, 1]}))
    assert len(records.against(runs, "g2rpo", "grpo")) == 1


def test_a_pair_with_another_configuration_is_named_under_the_table(tmp_path):
    runs = records.load(stored(tmp_path, {"grpo": [0, 1], "g2rpo": [0]}))
    assert short_table.footnote(runs) == []
    stored(tmp_path, {"g2rpo": [1]}, lr=2.0)
    runs = records.load(tmp_path)
    (line, _) = short_table.footnote(runs)
    assert "g2rpo-1 (`optim.lr`)" in line and "g2rpo-0" not in line
    assert line in short_table.short_table(runs, ARMS) and line in tables.against_baseline(runs)
    del runs["g2rpo"][1]["config"]  # a record from before
    assert short_table.footnote(runs) == []


def test_settings_are_compared_without_paths_and_what_a_resume_changes():
    config = {"a": {"b": 1, "path": "/x/y", "none": {}}, "trainer": {"val_before_train": False, "steps": 2}}
    assert records.settings_of(config) == {"a.b": 1, "a.none": {}, "trainer.steps": 2}


@pytest.mark.parametrize(("seeds", "over"), [([0], "rows"), ([0, 1], "rows"), ([0, 1, 2], "3 seeds")])
def test_what_the_pages_say_follows_the_stored_runs(tmp_path, seeds, over):
    stored(tmp_path, {"g2rpo": seeds}, gain=0.9)
    runs = records.load(stored(tmp_path, {"grpo": seeds}))
    text = "\n".join(short_table.short_table(runs, MAIN))
    assert f"{2 * len(seeds)} runs are in the table, of the seeds {', '.join(map(str, seeds))}." in text
    row = next(line for line in text.splitlines() if line.startswith("| G2RPO |"))
    assert row.endswith(f"| {over} |")
    assert text.count("(seed ") == len(seeds)
    assert "Better than GRPO beyond the interval: G2RPO; worse: none." in text


def test_a_record_of_other_steps_is_not_replaced_unasked(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(grid, "RESULTS", tmp_path)
    stored(tmp_path, {"grpo": [0]}, model="other")
    monkeypatch.setattr(sys, "argv", ["grid.py", "--arms", "grpo", "--seeds", "0", "--steps", str(STEPS + 1)])
    with pytest.raises(SystemExit):
        grid.main()
    assert f"is a record of {STEPS} steps, not of {STEPS + 1}" in capsys.readouterr().err
    assert grid.of_other_steps("grpo", 0, STEPS) is None and grid.of_other_steps("grpo", 1, 9) is None


def test_what_the_shell_exports_does_not_reach_a_run(tmp_path, monkeypatch):
    seen = {}
    monkeypatch.setattr(grid, "check_start", lambda out: None)
    monkeypatch.setattr(grid, "note_origin", lambda out: None)

    def fake(command, *, cwd, env):
        seen.update(env)
        return SimpleNamespace(returncode=0)

    monkeypatch.setattr(grid.subprocess, "run", fake)
    script = (grid.ROOT / "examples" / "quickstart.sh").read_text()
    defaults = dict(re.findall(r"^([A-Z_]+)=\$\{\1:-([^}]*)\}", script, re.MULTILINE))
    for name in defaults:
        monkeypatch.setenv(name, "7")
    grid.run("grpo", 3, runs=tmp_path, cache=tmp_path / "cache", steps=5, minutes=1.0)
    own = {"OUT": str(tmp_path / "grpo" / "3"), "CACHE": str(tmp_path / "cache"), "MODEL": str(grid.MODEL)}
    own |= {"SEED": "3", "STEPS": "5", "MINUTES": "1.0"}
    assert {name: seen[name] for name in defaults} == defaults | own


def test_a_run_is_done_if_it_is_stored_with_the_weights_of_the_grid(tmp_path, monkeypatch):
    monkeypatch.setattr(grid, "RESULTS", tmp_path)
    stored(tmp_path, {"grpo": [0]}, model="other")
    stored(tmp_path, {"grpo": [1]}, model=grid.model_hash())
    assert [grid.done("grpo", seed, STEPS) for seed in range(3)] == [False, True, False]
    assert not grid.done("grpo", 1, STEPS + 1)


@pytest.mark.parametrize("weights", [b"other", None])
def test_a_run_folder_of_other_weights_is_refused(tmp_path, weights):
    run, model = tmp_path / "run", tmp_path / "model"
    run.mkdir(), model.mkdir()
    grid.check_start(run)  # nothing there yet
    config = {"actor_rollout_ref": {"model": {"path": str(grid.MODEL)}}}
    (run / "config.yaml").write_text(json.dumps(config))
    grid.check_start(run)
    if weights:
        (model / "model.safetensors").write_bytes(weights)
    config["actor_rollout_ref"]["model"]["path"] = str(model)
    (run / "config.yaml").write_text(json.dumps(config))
    with pytest.raises(ValueError, match="not from the weights in"):
        grid.check_start(run)


def test_steps_to_the_baseline_are_those_of_the_same_seed(tmp_path):
    stored(tmp_path, {"grpo": [0, 1]}, peak=0.5)
    stored(tmp_path, {"g2rpo": [0, 2]}, peak=0.8)
    stored(tmp_path, {"dr_grpo": [1]}, peak=0.3)
    runs = records.load(tmp_path)
    assert tables.steps_to_baseline(runs, "g2rpo") == "20"
    assert tables.steps_to_baseline(runs, "dr_grpo") == "never"
    assert tables.steps_to_baseline({"g2rpo": runs["g2rpo"]}, "g2rpo") == "–"


def test_smoothed_accuracy_weighs_tasks_alike_and_bridges_steps_without_one():
    own = record("grpo", 0)
    expected = np.mean([0.8] * 2 + [np.mean([min(0.8, at / 10) for at in range(5, 25) if at % 3])])
    for entry in own["metrics"]:
        for task in ("bar_value", "digit_sum"):
            if f"task/{task}/accuracy" in entry:
                entry[f"task/{task}/accuracy"] = 0.8
    assert records.learning(own)[-1] == pytest.approx(expected)


def test_entropy_of_the_batch_weighs_tokens_and_is_missing_where_no_task_has_one():
    own = record("grpo", 0)
    entries = own["metrics"][1:]
    entries[0] |= {"task/bar_value/entropy": 0.6, "task/bar_value/token_share": 0.5}
    entries[0] |= {"task/digit_sum/token_share": 0.25, "task/point_to/token_share": 0.25}
    for task in TASKS:
        entries[3].pop(f"task/{task}/entropy", None)
    got = records.token_entropy(own)
    assert got[:3] == pytest.approx([0.45, 0.3, 0.3]) and np.isnan(got[3])


def test_every_arm_is_held_against_the_bands_of_the_recipe():
    own = record("grpo", 0)
    low, high = records.band_of("digit_sum")
    for entry in own["metrics"][1:]:
        entry["task/digit_sum/entropy"] = (low + high) / 2 if entry["step"] > STEPS - 6 else 2 * high
    assert records.inside_bands(own, ["digit_sum"]) == pytest.approx(6 / STEPS)
    assert records.inside_bands(own, ["digit_sum"], last=6) == 1
    assert records.inside_bands(own, ["digit_sum", "not_in_this_run"], last=12) == 0.5


def test_shares_and_their_spread():
    assert gradient_tables.shares(figures(1, 1, 2)) == pytest.approx([0.25, 0.25, 0.5])
    assert gradient_tables.variation(figures(1, 1, 2)) == pytest.approx(np.std([1, 1, 2]) / np.mean([1, 1, 2]))
    assert gradient_tables.ratio(figures(1, 4, 1e-12)) == pytest.approx(4)
    assert gradient_tables.without_gradient(figures(1, 4, 1e-12)) == 1
    assert gradient_tables.silent_push(figures(1, 1, 2)) == 0.25
    assert np.isnan(gradient_tables.ratio(figures(0, 0, 0)))


def test_a_stored_run_is_what_the_tables_read(tmp_path, monkeypatch):
    folder = tmp_path / "runs" / "grpo" / "0"
    folder.mkdir(parents=True)
    run_folder(folder, [RIGHT, WRONG])
    (folder / "validation").mkdir()
    for number, acc in ((0, 0.0), (1, 1.0)):
        rows = [
            {"row": f"offline/arithmetic/{at}", "task": "arithmetic", "category": "math_vqa", "acc": acc}
            for at in range(2)
        ]
        (folder / "validation" / f"{number}.jsonl").write_text("\n".join(map(json.dumps, rows)) + "\n")
    entries = [{"step": 0}, {"step": 1, "task/arithmetic/accuracy": 0.5, "task/arithmetic/response_length/mean": 6.0}]
    entries[1]["timing_s/step"] = 7.2
    (folder / "metrics.jsonl").write_text("\n".join(map(json.dumps, entries)))
    monkeypatch.setattr(grid, "RESULTS", tmp_path / "results")
    monkeypatch.setattr(grid, "gradients", lambda out: None)
    grid.note_origin(folder)
    grid.note_origin(folder)
    grid.store("grpo", 0, runs=tmp_path / "runs", steps=1)
    (own,) = records.load(tmp_path / "results")["grpo"]
    assert set(own) == set(record("grpo", 0))
    assert own["rewards_check"] == {"compared": 1, "accuracy_differs": 0, "length_differs": 0}
    assert own["model"] == grid.model_hash()
    assert [len(one["commit"]) for one in own["origin"]] == [40] and own["seconds"] == 7
    before, after = records.accuracies(own)
    assert (sum(before.values()), sum(after.values())) == (0, 2)


def test_a_run_whose_gradients_cannot_be_measured_is_stored_without(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(grid.sys, "executable", "false")
    assert grid.gradients(tmp_path) is None
    assert "no gradients" in capsys.readouterr().err


@pytest.mark.parametrize("name", tables.SHORT)
def test_the_pages_show_what_the_stored_runs_say(name):
    """If not: `python examples/evidence/tables.py`."""
    page = (tables.ROOT / name).read_text()
    assert cells.fill(page, short_table.short_table(records.load(), tables.SHORT[name])) == page


def test_a_page_without_its_marks_is_refused():
    with pytest.raises(ValueError, match="lacks <!-- training -->"):
        cells.fill("no marks", [])
