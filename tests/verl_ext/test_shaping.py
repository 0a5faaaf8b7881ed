"""What the trainer learns from step to step, over a queue that is a dict."""

import json
from types import SimpleNamespace

import pytest
import torch
from tensordict import TensorDict

from reward_fns.settings import Envelope
from verl_ext import batch_rows, shaping
from verl_ext.config import load
from verl_ext.metrics import SHAPING_METRICS

BLOCK = {
    "defaults": {"envelope_mode": "auto"},
    "categories": {"math_vqa": {"envelope": [0, 20, 60, 100]}, "document": {"envelope": [0, 20, 60, 100]}},
    "tasks": {"field_read": {"envelope_mode": "static"}},
    "auto_envelope": {"warmup": 2, "rate": 1.0},
}
LENGTHS = [40, 40, 90, 40]


def result(tokens, task="arithmetic", category="math_vqa", accuracy=1.0, truncated=False):
    parts = {"accuracy": accuracy, "format": 1.0, "structure": 0.0, "length": -1.0, "score": -1.0, "acc": accuracy}
    parts |= {"task": task, "category": category, "length_tokens": float(tokens), "truncated": truncated}
    return parts


@pytest.fixture
def queue(monkeypatch):
    """A queue of one batch: three right answers and a wrong one of a moving task, one of a static, a padding row."""
    results = [result(n) for n in LENGTHS[:3]] + [result(40, accuracy=0.0), result(40, "field_read", "document")]
    results += [result(95)]
    store = {
        "extra_fields": [{"reward_extra_info": one, "other": i} for i, one in enumerate(results)],
        "rm_scores": torch.nested.as_nested_tensor(
            [torch.tensor([0.0] * i + [-1.0]) for i in range(1, 7)], layout=torch.jagged
        ),
    }

    def put(keys, partition_id, fields: TensorDict):
        assert fields.batch_size == (len(keys),)
        store.update({name: fields[name] for name in ("extra_fields", "rm_scores")})

    monkeypatch.setattr(batch_rows.tq, "kv_batch_get", lambda keys, partition_id, select_fields: dict(store))
    monkeypatch.setattr(batch_rows.tq, "kv_batch_put", put)
    batch = SimpleNamespace(
        keys=[f"u{i}_0_0" for i in range(6)], partition_id="train", tags=[{}] * 5 + [{"is_padding": True}]
    )
    return batch, store


def test_scores_follow_the_envelope_in_force_and_reach_the_queue(queue):
    batch, store = queue
    memory = {"envelopes": {"arithmetic/math_vqa": {"lengths": [80, 80], "bounds": [40.0, 60.0, 100.0, 100.0]}}}
    metrics = shaping.move_envelopes(batch, load(BLOCK), memory)
    assert metrics == {
        f"task/arithmetic/envelope/{name}": float(value)
        for name, value in zip(("min_start", "peak_start", "peak_end", "max_end"), (40, 60, 100, 100), strict=True)
    }
    assert {name.removeprefix("task/arithmetic/") for name in metrics} < set(SHAPING_METRICS)
    found = batch_rows.fetch_results(batch, "score")
    assert [one["length"] for one in found] == [0.0, 0.0, 1.0, 0.0, -1.0, -1.0]
    assert [one["score"] for one in found] == pytest.approx([0.9, 0.9, 1.0, 0.1, -1.0, -1.0])
    last = [float(row[-1]) for row in store["rm_scores"].unbind()]
    # The static task's result stays, so its score is written as it was; so does the padding row's.
    assert last == pytest.approx([0.9, 0.9, 1.0, 0.1, -1.0, -1.0])
    assert [float(row[:-1].abs().sum()) for row in store["rm_scores"].unbind()] == [0.0] * 6
    assert [getattr(extra, "data", extra)["other"] for extra in store["extra_fields"]] == list(range(6))


def test_only_right_final_valid_responses_enter_the_lengths(queue):
    memory = {}
    shaping.move_envelopes(queue[0], load(BLOCK), memory)
    assert memory["envelopes"]["arithmetic/math_vqa"]["lengths"] == LENGTHS[:3]
    assert set(memory["envelopes"]) == {"arithmetic/math_vqa"}


@pytest.mark.parametrize("change", [{"truncated": True}, {"length_tokens": -1.0}, {"accuracy": 0.4}])
def test_truncated_uncounted_and_half_right_responses_do_not_enter(queue, change):
    batch, store = queue
    store["extra_fields"][0]["reward_extra_info"].update(change)
    memory = {}
    shaping.move_envelopes(batch, load(BLOCK), memory)
    assert memory["envelopes"]["arithmetic/math_vqa"]["lengths"] == LENGTHS[1:3]


def test_a_batch_is_judged_by_what_the_batches_before_it_made(queue):
    memory, settings = {}, load(BLOCK)
    first = shaping.move_envelopes(queue[0], settings, memory)
    assert first["task/arithmetic/envelope/peak_end"] == 60.0
    assert memory == json.loads(json.dumps(memory))
    second = shaping.move_envelopes(queue[0], settings, memory)
    assert second["task/arithmetic/envelope/peak_end"] == 65.0  # 3 quarters of 40, 40, 90


def test_under_the_static_envelope_the_driver_finds_the_manager_s_own_score(queue):
    """One formula: what compute_score returned stands when the envelope has not moved."""
    from reward_fns.score import compute_score

    batch, store = queue
    settings = load(BLOCK)
    own = settings.for_task("arithmetic", "math_vqa").reward
    assert own.envelope == Envelope(0, 20, 60, 100)
    extra = {"task": "arithmetic", "response_tokens": 70, "index": 0}
    text = "<thinking>t</thinking><answer>62</answer>"
    scored = compute_score("offline/arithmetic", text, "62", extra, settings=own)
    store["extra_fields"] = [{"reward_extra_info": scored | {"length_tokens": 70.0}}] * 6
    before = store["rm_scores"]
    shaping.move_envelopes(batch, settings, {})
    assert store["rm_scores"] is before  # nothing differed, so nothing was written


def test_entropy_coefficients_fixed_warmed_up_and_controlled():
    settings = load(
        {
            "defaults": {"entropy_coeff": 0.1, "entropy_band": [0.2, 0.6]},
            "tasks": {
                "warm": {"entropy_warmup_steps": 10},
                "dual": {"entropy_control": "dual"},
                "both": {"entropy_control": "dual", "entropy_warmup_steps": 4},
                "off": {"entropy_control": "dual", "entropy_coeff": 0},
                "free": {"entropy_band": None},
            },
        }
    )
    names = ["fixed", "warm", "dual", "both", "off", "free"]
    tasks = {(name, "document"): settings.for_task(name, "document") for name in names}
    memory = {}
    got = shaping.entropy_coefficients(tasks, [0.1] * 6, [9.0] * 6, settings.entropy_dual, memory, step=2)
    grown = 0.1 * 2.718281828**0.25
    assert got == pytest.approx([0.1, 0.02, grown, grown / 2, 0.0, 0.0])
    assert set(memory["entropy_dual"]) == {"dual/document", "both/document"}
    later = shaping.entropy_coefficients(
        {("dual", "document"): tasks["dual", "document"]}, [0.1], [9.0], settings.entropy_dual, memory, step=3
    )
    assert later == pytest.approx([0.1 * 2.718281828**0.5])
    assert set(memory["entropy_dual"]) == {"dual/document", "both/document"}, "what is not in the batch stays"
    before = dict(memory["entropy_dual"])
    rejected = shaping.entropy_coefficients(tasks, [0.0] * 6, [0.0] * 6, settings.entropy_dual, memory, step=4)
    assert (rejected, memory["entropy_dual"]) == ([0.0] * 6, before), "no entropy was seen"


@pytest.mark.parametrize("order", [1, -1])
def test_a_task_in_two_categories_is_shaped_by_each_of_them(queue, order):
    batch, store = queue
    categories = {"math_vqa": {"envelope": [0, 20, 60, 100]}, "document": {"envelope": [0, 9, 9, 30]}}
    block = BLOCK | {"categories": categories}
    rows = [("math_vqa", 20), ("math_vqa", 40), ("document", 9), ("document", 16)][::order]
    results = [result(tokens, category=category) for category, tokens in rows]
    store["extra_fields"] = [{"reward_extra_info": one} for one in results + results[:1] * 2]
    memory = {}
    metrics = shaping.move_envelopes(batch, load(block), memory)
    lengths = {one["length_tokens"]: one["length"] for one in batch_rows.fetch_results(batch, "length")[:4]}
    assert lengths == {20: 1.0, 40: 1.0, 9: 1.0, 16: pytest.approx(14 / 21)}
    assert set(memory["envelopes"]) == {"arithmetic/math_vqa", "arithmetic/document"}
    assert metrics["task/arithmetic/envelope/max_end"] == 65.0, "the mean of its categories"
