"""Gradients of a task: those of verl's own loss, from responses that the policy itself would give."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from hydra import compose, initialize_config_dir
from verl.trainer.ppo.core_algos import agg_loss

from data_prep.offline import OfflineSource
from data_prep.writer import RowWriter
from verl_ext.tiny_model import build, rows
from verl_ext.tiny_model.tokenizer import train_tokenizer

sys.path.insert(0, str(Path(__file__).parents[2] / "examples" / "evidence"))
import policy_samples
import task_gradients
from arms import ARMS
from gradient_tables import OWN
from policy_samples import Policy
from reward_batches import RESPONSES
from task_gradients import Own

SIZE = build.ModelSize(
    text_width=32, text_depth=1, heads=1, text_mlp=32, vision_width=32, vision_depth=1, vision_mlp=32
)
ROWS = 24


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    path = tmp_path_factory.mktemp("data") / "train.parquet"
    source = OfflineSource(seed=0)
    with RowWriter(path) as writer:
        for index in range(ROWS):
            writer.write(source.row("train", index))
        writer.finish()
        writer.publish()
    return path


@pytest.fixture(scope="module")
def policy(data):
    table = list(rows.read_rows(data))
    tokenizer = train_tokenizer(text for row in table for text in rows.texts_of(row, thinking_tag="thinking"))
    model = build.build_model(tokenizer, SIZE, seed=0).eval()
    # Untrained, it would name images that are not there.
    model.generation_config.suppress_tokens = [model.config.image_token_id, model.config.video_token_id]
    return Policy(model, build.build_processor(tokenizer))


@pytest.fixture(scope="module")
def sampled(policy, data):
    """Examples of two tasks, two prompts each, and their responses."""
    chosen = policy_samples.choose(rows.read_rows(data), prompts=2, seed=0)
    examples = chosen[:4]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policy_samples, "MAX_TOKENS", 6)
        return examples, policy_samples.sample(policy, examples, responses=RESPONSES, seed=0)


def test_prompts_are_so_many_of_every_task_and_the_same_for_a_seed(data):
    table = list(rows.read_rows(data))
    first, same, other = (
        [example.extra_info["index"] for example in policy_samples.choose(table, prompts=1, seed=seed)]
        for seed in (0, 0, 1)
    )
    assert len(first) == 12 and first == same != other


def test_responses_end_with_the_token_that_ends_them():
    assert policy_samples._until([5, 2, 7, 2], {2, 9}) == [5, 2]
    assert policy_samples._until([5, 6], {2}) == [5, 6]


def test_log_probs_are_those_of_the_sampler(policy, sampled):
    examples, _ = sampled
    inputs = policy_samples.encode(policy, examples[:1])
    torch.manual_seed(1)
    out = policy.model.generate(
        **inputs, do_sample=True, top_k=0, max_new_tokens=5, output_logits=True, return_dict_in_generate=True,
        eos_token_id=None,
    )  # fmt: skip
    response = out.sequences[0, inputs["input_ids"].shape[1] :].tolist()
    said = torch.stack([torch.log_softmax(one[0], -1)[at] for one, at in zip(out.logits, response, strict=True)])
    torch.testing.assert_close(policy_samples.log_probs(policy, inputs, response), said, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("mode", ["seq-mean-token-mean", "seq-mean-token-sum-norm"])
def test_the_gradient_of_a_task_is_that_of_verls_loss(policy, sampled, mode, monkeypatch):
    examples, responses = sampled
    monkeypatch.setattr(task_gradients, "MAX_TOKENS", 6)
    rng, count = np.random.default_rng(0), len(responses)
    advantage = rng.normal(size=count)
    monkeypatch.setattr(task_gradients, "advantages", lambda *_: [advantage])
    batch = task_gradients.batch_of(task_gradients.plain, policy, examples, responses)
    weight = task_gradients.weigh(None, batch, token_sum="sum" in mode)
    silent = {"one": np.arange(count) < RESPONSES}
    found = task_gradients.figures_of(policy, examples, responses, {"one": weight}, silent)["one"]

    parameters = list(policy.model.parameters())
    mask, ratio = torch.zeros(count, 6), torch.zeros(count, 6)
    for at, response in enumerate(responses):
        own = policy_samples.log_probs(policy, policy_samples.encode(policy, [examples[at // RESPONSES]]), response)
        mask[at, : len(response)] = 1
        ratio[at, : len(response)] = torch.exp(own - own.detach())
    task_of = np.repeat([example.task for example in examples], RESPONSES)
    parts = {task: torch.from_numpy(task_of == task) for task in sorted(set(task_of))}
    parts |= {"whole": torch.ones(count, dtype=torch.bool), "silent_push": torch.from_numpy(silent["one"])}
    for name, rows_of in parts.items():
        matrix = -ratio * torch.from_numpy(advantage).float()[:, None] * rows_of[:, None]
        loss = agg_loss(matrix, mask, mode, global_batch_size=count, loss_scale_factor=6)
        gradient = torch.autograd.grad(loss, parameters, retain_graph=True)
        norm = torch.cat([part.reshape(-1) for part in gradient]).norm().item()
        assert (found["norm"] | found)[name] == pytest.approx(norm, rel=1e-3), name


def test_a_run_is_measured_with_its_own_reward_too(policy, data, monkeypatch):
    monkeypatch.setattr(policy_samples, "MAX_TOKENS", 6)
    monkeypatch.setattr(task_gradients, "PROMPTS", 1)

    def longest(example, tokens, text):
        return task_gradients.plain(example, tokens, text) | {"score": float(len(tokens))}

    own = Own(task_gradients.ESTIMATORS["GRPO"], longest, {}, token_sum=False)
    result = task_gradients.measure(policy, data, seeds=[3], own=own)
    figures = result["draws"][0]["estimators"]
    # An untrained model is never right, so only its own reward tells its responses apart.
    assert set(figures) == {*task_gradients.ESTIMATORS, OWN}
    assert figures["G2RPO"]["silent_groups"] > figures[OWN]["silent_groups"]
    assert sum(figures[OWN]["norm"].values()) > 0
    assert len(result["draws"][0]["accuracy"]) == 12


@pytest.mark.parametrize("arm, score", [("grpo", 1.0), ("dr_grpo_scaled", 10.0)])
def test_the_reward_of_a_run_is_that_of_its_arm(policy, data, arm, score):
    with initialize_config_dir(str(task_gradients.ROOT / "verl_ext" / "configs"), version_base=None):
        quickstart = ["+machine=cpu", "+recipe=quickstart", "data.max_response_length=96"]
        config = compose("g2rpo_trainer", overrides=[*quickstart, *ARMS[arm]])
    examples = policy_samples.choose(rows.read_rows(data), prompts=1, seed=0)
    example = next(one for one in examples if one.task == "digit_sum")
    right = f"<thinking>sum</thinking><answer>{example.ground_truth}</answer>"
    tokens = policy.processor.tokenizer(right, add_special_tokens=False).input_ids
    result = task_gradients.judge_of(config, policy)(example, tokens, right)
    assert (result["accuracy"], result["score"]) == (1.0, pytest.approx(score))


def test_weights_come_from_the_last_checkpoint_that_has_them(tmp_path, policy):
    build.save(policy.model, policy.processor, tmp_path / "model")
    other = build.build_model(policy.processor.tokenizer, SIZE, seed=1)
    for number in (10, 20):
        (tmp_path / "checkpoints" / f"global_step_{number}" / "actor").mkdir(parents=True)
    assert policy_samples.last_checkpoint(tmp_path) is None
    torch.save(other.state_dict(), tmp_path / "checkpoints" / "global_step_10" / policy_samples.SHARD)
    checkpoint = policy_samples.last_checkpoint(tmp_path)
    assert checkpoint.name == "global_step_10"
    loaded = policy_samples.load_policy(tmp_path / "model", checkpoint).model.state_dict()
    assert all(torch.equal(value, loaded[name]) for name, value in other.state_dict().items())
