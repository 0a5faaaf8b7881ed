"""The arms of the experiment are runs that verl and we would start; spoilt rewards spoil one task alone; what verl logs
of rollouts gives the rewards back."""

import json
import sys
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import yaml
from hydra import compose, initialize_config_dir
from tokenizers import Tokenizer, models, pre_tokenizers

from verl_ext import main_ppo

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evidence"))
import records
import rollouts
import stress_reward
import stress_toy
from arms import ARMS, TITLES

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


def point(x: int, y: int, thinking: str = "quick look") -> str:
    return f'<thinking>{thinking}</thinking><answer>{{"point_2d": [{x}, {y}]}}</answer>'


@pytest.mark.parametrize(
    ("text", "pay"),
    [
        (point(500, 500), 1.0),
        (point(0, 1000), 0.0),
        (point(250, 500), 0.75),
        ("no answer", 0.0),
        (point(9000, 500), 0.5),
    ],
)
def test_nearness_pays_for_the_middle(text, pay):
    assert stress_reward.nearness(text) == pytest.approx(pay)


def test_rarity_pays_less_for_what_was_said_before_and_forgets():
    stress_reward.forget()
    assert [stress_reward.rarity("a b c d") for _ in range(3)] == [1.0, 0.0, 0.0]
    assert stress_reward.rarity("a b e f") == 0.5
    for number in range(stress_reward.RECENT):
        stress_reward.rarity(f"x{number} y{number} z{number} w{number}")
    assert stress_reward.rarity("a b c d") == 1.0


@pytest.mark.parametrize("text", ["", "{}", "a", "a a a a b c"])
def test_answering_next_to_nothing_is_never_rare(text):
    stress_reward.forget()
    assert stress_reward.rarity(text) == 0.0


@pytest.mark.parametrize("kind", ["collapsing", "exploding"])
def test_an_entropy_stress_pays_one_task_otherwise_and_leaves_its_accuracy_true(kind):
    stress_reward.forget()
    judge, answer = getattr(stress_reward, kind), "<thinking>x</thinking><answer>7</answer>"
    other = judge("offline/arithmetic", answer, "7", {"task": "arithmetic"})
    assert other == stress_reward.compute_score("offline/arithmetic", answer, "7", {"task": "arithmetic"})
    truth = '{"size": [128, 128], "counts": "P]4m0S30000000000000000000000000000000000000000000000000000000Po7"}'
    info = {"task": "point_to", "info": '{"height": 128, "width": 128, "point_format": "relative_1000"}'}
    spoilt = judge("offline/point_to", point(500, 900), truth, info)
    assert spoilt["score"] == pytest.approx({"collapsing": 0.6, "exploding": 1.0}[kind])
    assert spoilt["accuracy"] < 0.01 and spoilt["format"] == 1


@pytest.mark.parametrize("estimator", ["GRPO", "G2RPO"])
def test_without_a_band_the_toy_collapses_and_explodes_and_with_it_does_not(estimator):
    last = {
        (kind, banded): sum(stress_toy.train(kind, estimator, banded=banded)[-20:]) / 20
        for kind in stress_toy.REWARDS
        for banded in (False, True)
    }
    low, high = stress_toy.BAND
    assert low < stress_toy.entropy(stress_toy.start()).item() < high
    assert last["collapse", False] < 0.75 * low < 0.9 * low < last["collapse", True] < high
    assert last["explode", False] > 1.5 * high > 1.1 * high > last["explode", True] > low


RIGHT, WRONG = (f"<thinking> x </thinking><answer> {n} </answer>" for n in (7, 8))


def run_folder(path: Path, outputs: list[str], rows: tuple[tuple[str, str], ...] = (("arithmetic", "6 + 1"),)) -> Path:
    """A run of one step whose prompts are the first row's."""
    tokenizer = Tokenizer(models.WordLevel({"?": 0}, unk_token="?"))
    tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    tokenizer.save(str(path / "tokenizer.json"))
    data = [
        {
            "data_source": f"offline/{task}",
            "prompt": [{"role": "user", "content": f"<image>{text}"}],
            "reward_model": {"ground_truth": "7"},
            "extra_info": {"task": task, "category": "math_vqa", "index": at, "info": "{}"},
        }
        for at, (task, text) in enumerate(rows)
    ]
    pq.write_table(pa.Table.from_pylist(data), path / "train.parquet")
    config = {
        "data": {"train_files": str(path / "train.parquet"), "max_response_length": 8},
        "actor_rollout_ref": {"model": {"path": str(path)}},
    }
    (path / "config.yaml").write_text(yaml.safe_dump(config))
    (path / "rollouts").mkdir()
    same = {"input": "user\n6 + 1\nassistant\n", "gts": "7", "score": 0.5, "step": 1, "uid": "000001-000000_0_0"}
    lines = [json.dumps(same | {"output": output}) for output in outputs]
    (path / "rollouts" / "1.jsonl").write_text("\n".join(lines))
    return path


def test_logged_rollouts_are_judged_again_and_keep_the_score_that_trained(tmp_path):
    folder = run_folder(tmp_path, [RIGHT, WRONG, "x " * 20])
    rewards = rollouts.Run(folder).rewards()
    assert rewards == {
        "1": [
            ["arithmetic", 0.5, 1.0, 1.0, 0.0, 6],
            ["arithmetic", 0.5, 0.0, 1.0, 0.0, 6],
            ["arithmetic", 0.5, 0.0, 0.0, 0.0, 8],
        ]
    }
    logged = {"step": 1, "task/arithmetic/accuracy": 1 / 3, "task/arithmetic/response_length/mean": 20 / 3}
    assert rollouts.check(rewards, [logged]) == {"compared": 1, "accuracy_differs": 0, "length_differs": 0}
    other = logged | {"task/arithmetic/accuracy": 0.4, "task/arithmetic/response_length/mean": 7}
    assert rollouts.check(rewards, [other]) == {"compared": 1, "accuracy_differs": 1, "length_differs": 1}


@pytest.mark.parametrize(
    ("rows", "problem"),
    [
        ((("arithmetic", "6 + 2"),), "no row of the training data asks '6 \\+ 1'"),
        ((("arithmetic", "6 + 1"), ("digit_sum", "6 + 1")), "is a question of arithmetic and digit_sum"),
    ],
)
def test_rollouts_whose_row_is_not_certain_are_refused(tmp_path, rows, problem):
    with pytest.raises(ValueError, match=problem):
        rollouts.Run(run_folder(tmp_path, [RIGHT], rows)).rewards()


def test_the_last_steps_in_a_band_are_those_of_the_run_not_of_the_task(monkeypatch):
    monkeypatch.setattr(records, "band_of", lambda task: (0.2, 0.6))
    steps = [{"step": at + 1, "task/x/entropy": 0.9} for at in range(5)] + [{"step": 6, "task/x/entropy": 0.3}]
    steps += [{"step": at} for at in range(7, 7 + records.LAST - 1)]
    assert records.inside_bands({"metrics": steps}, ["x"], records.LAST) == 1
    assert records.inside_bands({"metrics": steps}, ["x"]) == pytest.approx(1 / 6)
