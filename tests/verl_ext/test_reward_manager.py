"""The reward manager through verl's loader, on rows as verl hands them over."""

import asyncio

import numpy as np
import pytest
import torch
from tensordict import TensorDict
from verl import DataProto
from verl.trainer.ppo.reward import load_reward_manager

from reward_fns.symbolic import pool
from verl_ext.reward_manager import tokens_before

EXTRA = {"category": "math_vqa", "index": 7, "info": "{}"}


class Words:
    """A tokenizer whose token i is the i-th word given."""

    def __init__(self, words):
        self.words = words

    def decode(self, ids, skip_special_tokens=True):
        return " ".join(self.words[int(i)] for i in ids)


def manager_and_row(
    compose_config, response, *, truth="62", limit=96, task="arithmetic", custom=None, overrides=(), **arguments
):
    config = compose_config(
        *("+machine=cpu", "+recipe=quickstart", "actor_rollout_ref.model.path=none"),
        *(f"data.max_response_length={limit}", *overrides),
    )
    if custom:
        config.reward.custom_reward_function.path = custom
    words = response.split()
    manager = load_reward_manager(config, Words(words), **arguments)
    prompt = torch.zeros(1, 3, dtype=torch.long)
    ids = torch.arange(len(words)).unsqueeze(0)
    row = DataProto(
        batch=TensorDict(
            {"prompts": prompt, "responses": ids, "attention_mask": torch.ones(1, 3 + len(words), dtype=torch.long)},
            batch_size=1,
        ),
        non_tensor_batch={
            "data_source": np.array(["offline/arithmetic"], dtype=object),
            "reward_model": np.array([{"style": "rule", "ground_truth": truth}], dtype=object),
            "extra_info": np.array([EXTRA | {"task": task}], dtype=object),
        },
    )
    return manager, row


def run(manager, row):
    manager.loop = asyncio.new_event_loop()
    return manager.loop.run_until_complete(manager.run_single(row))


def test_tokens_and_truncation_reach_the_length_part(compose_config):
    thinking = "so " * 20
    manager, row = manager_and_row(compose_config, f"<thinking> {thinking}</thinking> <answer> 62 </answer>")
    info = run(manager, row)["reward_extra_info"]
    assert (info["response_tokens"], info["truncated"]) == (25, False)
    assert (info["acc"], info["length"], info["score"]) == (1.0, 1.0, pytest.approx(1.0))
    assert (info["row"], info["problem_type"]) == ("offline/arithmetic/7", "numerical")


def test_events_of_the_symbolic_workers_are_counted_once(compose_config):
    pool().counters["timeouts"] += 5  # before this manager
    manager, row = manager_and_row(compose_config, "<answer> 62 </answer>")
    pool().counters.update(timeouts=2, calls=3)
    infos = [run(manager, row)["reward_extra_info"] for _ in range(2)]
    pool().counters["crashes"] += 1
    infos.append(run(manager, row)["reward_extra_info"])
    assert [info["verifier_timeouts"] for info in infos] == [2.0, 0.0, 0.0]
    assert [info["verifier_crashes"] for info in infos] == [0.0, 0.0, 1.0]


def test_a_real_timeout_reaches_the_result(compose_config):
    answer = "\\sum_{k=1}^{10000000} \\sin(k^2) \\cdot \\prod_{j=1}^{9} (x+j)^{99}"
    settings = ["verl_ext.verify_timeout=1e-9"]  # over before the question is asked
    text = f"<thinking> a </thinking> <answer> {answer} </answer>"
    manager, row = manager_and_row(compose_config, text, truth="\\sqrt{5}+x", task="math", overrides=settings)
    info = run(manager, row)["reward_extra_info"]
    assert (info["verifier_timeouts"], info["accuracy"]) == (1.0, 0.0)


def test_response_at_the_limit_is_truncated(compose_config):
    manager, row = manager_and_row(compose_config, "so " * 96)
    result = run(manager, row)
    assert result["reward_extra_info"]["truncated"] is True
    assert result["reward_score"] == 0.0


def test_thinking_scope_counts_the_tokens_before_the_answer(compose_config):
    response = f"<thinking> {'so ' * 10}</thinking> <answer> 62 </answer>"
    manager, row = manager_and_row(compose_config, response, overrides=["verl_ext.defaults.length_scope=thinking"])
    info = run(manager, row)["reward_extra_info"]
    # The fake tokenizer gives the space before <answer> to that token, which therefore begins before the mark.
    assert (info["response_tokens"], info["length_tokens"]) == (15, 13)
    assert info["length"] == pytest.approx((13 - 4) / (20 - 4))


@pytest.mark.parametrize(
    ("pieces", "expected", "why"),
    [
        (["so ", "it ", "<answer>", "1", "</answer>"], 2, "the mark is a token of its own"),
        (["so", "><", "answer", ">", "1"], 2, "a token that runs into the mark counts"),
        (["<answer>", "1", "</answer>", " no ", "<answer>", "2", "</answer>"], 4, "the last of several"),
        (["", "so ", "", "<answer>", "1"], 2, "tokens without text, as special ones are, count where they stand"),
        (["so ", "it"], 2, "no answer: all"),
        (["<answer>"], 0, "nothing before it"),
        ([], 0, "an empty response"),
    ],
)
def test_tokens_before_the_last_answer(pieces, expected, why):
    def decode(ids):
        return "".join(pieces[i] for i in ids)

    ids = list(range(len(pieces)))
    assert tokens_before(ids, decode(ids), "<answer>", decode) == expected, why


def test_a_row_is_judged_by_the_settings_of_its_own_category(compose_config):
    """`numerical` is a task of charts; the row is one of mathematics."""
    settings = [f"++verl_ext.categories.{name}.format_weight={w}" for name, w in (("math_vqa", 0.3), ("chart_vqa", 0))]
    manager, row = manager_and_row(
        *(compose_config, "<answer> 62 </answer>"), task="numerical", overrides=[*settings, "verl_ext.reward_timeout=7"]
    )
    info = run(manager, row)["reward_extra_info"]
    # Three tokens are below the envelope of math_vqa, whose weight is 0.1.
    assert (info["category"], info["score"]) == ("math_vqa", pytest.approx(0.6))
    assert manager.guard.limit == 7


def test_failure_of_ours_raises_with_the_nearest_task(compose_config):
    manager, row = manager_and_row(compose_config, "<answer> 62 </answer>", task="arithmetics")
    with pytest.raises(ValueError, match=r"unknown task 'arithmetics'.*nearest: 'arithmetic'"):
        run(manager, row)


def test_custom_reward_function_takes_over(compose_config, tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(
        "def compute_score(data_source, solution_str, ground_truth, extra_info):\n"
        "    return {'score': extra_info['response_tokens'] / 10}\n"
    )
    manager, row = manager_and_row(compose_config, "one two three", custom=str(path))
    result = run(manager, row)
    assert result["reward_score"] == 0.3
    assert result["reward_extra_info"]["row"] == "offline/arithmetic/7"
    assert result["reward_extra_info"]["verifier_timeouts"] == 0


CUSTOM = {
    "scalar": "def compute_score(solution_str, **_): return 0.25 * len(solution_str.split())",
    "asynchronous": (
        "import asyncio\n"
        "async def compute_score(solution_str, ground_truth, reward_router_address=None, **_):\n"
        "    await asyncio.sleep(0.01)\n"
        "    assert reward_router_address == 'judge:80' and ground_truth is None\n"
        "    return {'score': 0.5, 'acc': 1.0, 'said': 'yes'}"
    ),
}


@pytest.mark.parametrize(
    ("kind", "wanted"),
    [
        ("scalar", {"score": 0.5, "accuracy": 0.5, "acc": 0.5}),
        ("asynchronous", {"score": 0.5, "accuracy": 1.0, "said": "yes"}),
    ],
)
def test_reward_functions_of_verls_own_managers_need_no_change(compose_config, tmp_path, kind, wanted):
    """With all that the trainer reads of a result, and without a ground truth in the row."""
    (tmp_path / "mine.py").write_text(CUSTOM[kind])
    manager, row = manager_and_row(
        *(compose_config, "one two"), custom=str(tmp_path / "mine.py"), task=None, reward_router_address="judge:80"
    )
    del row.non_tensor_batch["reward_model"]
    result = run(manager, row)
    wanted |= {"task": "arithmetic", "category": "math_vqa", "format": 0.0, "length_tokens": 2.0}
    assert result["reward_extra_info"].items() >= wanted.items()
    assert result["reward_score"] == 0.5


def test_the_last_of_several_outputs_is_judged_by_its_own_length(compose_config):
    """verl pads prompts and responses of a trajectory's outputs to the longest of them."""
    response = "<thinking> so </thinking> <answer> 62 </answer>"
    manager, row = manager_and_row(compose_config, response)
    words = len(response.split())
    earlier = {"prompts": torch.zeros(1, 90), "responses": torch.zeros(1, words + 5)}
    last = {"prompts": torch.zeros(1, 90), "responses": torch.zeros(1, words + 5)}
    last["responses"][0, :words] = torch.arange(words)
    earlier["attention_mask"] = torch.ones(1, 90 + words + 5)
    last["attention_mask"] = (torch.arange(90 + words + 5) < 10 + words).unsqueeze(0)
    columns = {name: torch.cat([earlier[name], last[name]]).long() for name in earlier}
    others = {name: np.repeat(values, 2) for name, values in row.non_tensor_batch.items()}
    others["response_len"] = np.array([words + 5, words])
    info = run(manager, DataProto(TensorDict(columns, batch_size=2), others))["reward_extra_info"]
    assert (info["response_tokens"], info["acc"], info["format"]) == (words, 1.0, 1.0)
