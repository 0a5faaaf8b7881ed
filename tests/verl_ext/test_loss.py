"""The entropy term on verl's real loss path: the same gradient however the batch is cut."""

import json
import pickle
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import torch
from tensordict import TensorDict
from verl.utils import tensordict_utils as tu
from verl.utils.config import omega_conf_to_dataclass
from verl.utils.torch_functional import entropy_from_logits, logprobs_from_logits
from verl.workers.utils.losses import ppo_loss

from verl_ext import entropy_band
from verl_ext.loss import ENTROPY_WEIGHT, shaped_ppo_loss

PROMPT = [2, 3, 2, 4, 1, 2]
RESPONSE = [3, 1, 4, 2, 5, 3]
TASK = torch.tensor([0, 1, 0, 2, 1, 0])
COEFF = torch.tensor([0.5, 0.3, 0.7])
# Task 0 is far above its band, task 1 far below, task 2 inside.
LOW, HIGH = torch.tensor([0.0, 9.0, 0.0]), torch.tensor([0.01, 9.5, 9.0])
VOCABULARY = 7
MODES = ["token-mean", "token-sum", "seq-mean-token-sum", "seq-mean-token-mean", "seq-mean-token-sum-norm"]
LAYOUTS = ["packed", "nested", "padded"]


def nested(rows):
    return torch.nested.as_nested_tensor([row.clone() for row in rows], layout=torch.jagged)


@pytest.fixture
def policy():
    """Logits per token of each row (length, V), and the rows of a batch as the actor's loss sees them."""
    torch.manual_seed(0)
    logits = [torch.randn(p + r, VOCABULARY) for p, r in zip(PROMPT, RESPONSE, strict=True)]
    old = [torch.randn(r) * 0.1 - 2 for r in RESPONSE]
    advantage = [torch.full((r,), float(i - 2)) for i, r in enumerate(RESPONSE)]
    return logits, old, advantage


def sums(logits, rows):
    """Summed response entropy of each row, differentiable: position t predicts token t + 1."""
    total = []
    for i in rows:
        log_p = logits[i][PROMPT[i] - 1 : -1].log_softmax(-1)
        total.append(-(log_p.exp() * log_p).sum())
    return torch.stack(total)


def weights(logits, mini_batches=1):
    tokens = torch.tensor(RESPONSE)
    entropy, count = entropy_band.task_entropy(sums(logits, range(6)).detach(), tokens, TASK, 3)
    side = entropy_band.band_side(entropy, LOW, HIGH)
    return entropy_band.row_weights(side, count, COEFF, TASK, mini_batches=mini_batches).float()


def model_output(logits, layout):
    """Log-probabilities and entropy as verl's engine returns them: from packed rows, or from padded ones, cut again."""
    lengths = [len(one) for one in logits]
    tokens = [torch.arange(length) % VOCABULARY for length in lengths]
    if layout == "padded":
        padded = torch.nn.utils.rnn.pad_sequence(logits, batch_first=True)
        padded_tokens = torch.nn.utils.rnn.pad_sequence(tokens, batch_first=True)
        log_probs, entropy = logprobs_from_logits(padded, padded_tokens), entropy_from_logits(padded)
        rows = [torch.cat([v[:n] for v, n in zip(values, lengths, strict=True)]) for values in (log_probs, entropy)]
    else:
        packed = torch.cat(logits)
        rows = [logprobs_from_logits(packed, torch.cat(tokens)), entropy_from_logits(packed)]
    if layout != "packed":
        offsets = torch.tensor([0, *lengths]).cumsum(0)
        rows = [torch.nested.nested_tensor_from_jagged(values, offsets) for values in rows]
    return dict(zip(("log_probs", "entropy"), rows, strict=True))


def micro_batch(policy, rows, *, dp_size, weight, ragged_weight=False, layout="packed", mini_batch=range(6)):
    logits, old, advantage = policy
    output = model_output([logits[i] for i in rows], layout)
    own = weight[list(rows)].unsqueeze(-1)
    data = TensorDict(
        {
            "prompts": nested([torch.ones(PROMPT[i], dtype=torch.long) for i in rows]),
            "responses": nested([torch.ones(RESPONSE[i], dtype=torch.long) for i in rows]),
            "response_mask": nested([torch.ones(RESPONSE[i], dtype=torch.long) for i in rows]),
            "old_log_probs": nested([old[i] for i in rows]),
            "advantages": nested([advantage[i] for i in rows]),
            ENTROPY_WEIGHT: nested(list(own)) if ragged_weight else own,
        },
        batch_size=len(rows),
    )
    count = sum(RESPONSE[i] for i in mini_batch)
    tu.assign_non_tensor(data, dp_size=dp_size, batch_num_tokens=count, global_batch_size=len(mini_batch))
    return output, data


@pytest.fixture
def actor(compose_config):
    config = compose_config("+machine=cpu", "actor_rollout_ref.model.path=none")
    return omega_conf_to_dataclass(config.actor_rollout_ref.actor)


def set_mode(actor, mode):
    # Without a scale factor verl's own "sum-norm" divides by the longest response of the micro-batch.
    actor.__dict__.update(loss_agg_mode=mode, loss_scale_factor=10 if mode == "seq-mean-token-sum-norm" else None)


def gradients(loss, policy, cuts, *, mode, actor, **how):
    """Gradient per row after `cuts`: one list of micro-batches per data-parallel rank; ranks are averaged."""
    logits, old, advantage = policy
    set_mode(actor, mode)
    leaves = [one.clone().requires_grad_() for one in logits]
    weight = weights(logits)
    for rank in cuts:
        for rows in rank:
            batch = micro_batch((leaves, old, advantage), rows, dp_size=len(cuts), weight=weight, **how)
            (loss(actor, *batch)[0] / len(cuts)).backward()
    return [leaf.grad if leaf.grad is not None else torch.zeros_like(leaf) for leaf in leaves]


CUTS = {
    "one by one": [[[0], [1], [2], [3], [4], [5]]],
    "uneven": [[[4, 1, 0], [2], [5, 3]]],
    "two ranks": [[[0, 1, 2]], [[3], [4, 5]]],
}


@pytest.mark.parametrize("layout", LAYOUTS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("cut", CUTS.values(), ids=CUTS)
def test_gradient_does_not_depend_on_the_cut_or_the_layout(policy, actor, cut, mode, layout):
    whole = gradients(shaped_ppo_loss, policy, [[[0, 1, 2, 3, 4, 5]]], mode=mode, actor=actor)
    parts = gradients(shaped_ppo_loss, policy, cut, mode=mode, actor=actor, layout=layout)
    for one, other in zip(whole, parts, strict=True):
        torch.testing.assert_close(one, other, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("mode", MODES)
def test_term_adds_the_gradient_of_the_hinge(policy, actor, mode):
    cut = CUTS["two ranks"]
    added = [
        shaped - plain
        for shaped, plain in zip(
            gradients(shaped_ppo_loss, policy, cut, mode=mode, actor=actor, ragged_weight=True),
            gradients(ppo_loss, policy, cut, mode=mode, actor=actor),
            strict=True,
        )
    ]
    leaves = [one.clone().requires_grad_() for one in policy[0]]
    entropy, tokens = sums(leaves, range(6)), torch.tensor(RESPONSE).float()
    mean = torch.stack([entropy[TASK.eq(k)].sum() / tokens[TASK.eq(k)].sum() for k in range(3)])
    (COEFF * ((mean - HIGH).clamp_min(0) + (LOW - mean).clamp_min(0))).sum().backward()
    for one, leaf in zip(added, leaves, strict=True):
        torch.testing.assert_close(
            one, leaf.grad if leaf.grad is not None else torch.zeros_like(one), rtol=1e-4, atol=1e-6
        )


@pytest.mark.timeout(400)  # two processes that import verl
def test_two_real_ranks_take_the_steps_of_one(actor, tmp_path):
    """Gradients and parameters under FSDP2 over gloo, two epochs, one and three mini-batches, every aggregation."""
    (tmp_path / "actor.pickle").write_bytes(pickle.dumps(actor))
    script = Path(__file__).with_name("two_ranks.py")
    ranks = [subprocess.Popen([sys.executable, script, str(rank), tmp_path]) for rank in range(2)]
    try:
        assert [rank.wait(timeout=300) for rank in ranks] == [0, 0]
    finally:
        for rank in ranks:
            rank.kill()
    largest = json.loads((tmp_path / "differences.json").read_text())
    assert set(largest) == {f"{mode}, {m} mini-batches" for mode in MODES for m in (1, 3)}
    assert max(largest.values()) < 1e-5


def test_batch_without_weights_is_refused(policy, actor):
    output, data = micro_batch(policy, [0, 1], dp_size=1, weight=weights(policy[0]))
    del data[ENTROPY_WEIGHT]
    with pytest.raises(KeyError, match="verl_ext_sync"):
        shaped_ppo_loss(actor, output, data)


def test_loss_travels_to_the_workers(actor):
    assert pickle.loads(pickle.dumps(partial(shaped_ppo_loss, actor))).func is shaped_ppo_loss
