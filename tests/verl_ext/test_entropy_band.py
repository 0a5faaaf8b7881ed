from __future__ import annotations

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor

from verl_ext.entropy_band import band_side, entropy_term, row_entropy, row_weights, spare, task_entropy

COEFF = 0.02
LOW, HIGH = torch.tensor([0.2, 0.2, 1.2]), torch.tensor([0.6, 2.5, 2.0])
# 12 rows of up to 5 tokens; task 0 starts above its band, 1 inside, 2 below; row 11 only pads the batch.
TASK_B = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0, 2, 1, 0, 2])
TOKENS_B = torch.tensor([5, 3, 1, 2, 4, 5, 1, 3, 2, 5, 4, 0])
MASK_BT = torch.arange(5) < TOKENS_B[:, None]


class Policy(torch.nn.Module):
    """Small softmax model: logits of every token from fixed features."""

    def __init__(self) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(3)
        self.features_BTD = torch.randn(12, 5, 6, generator=generator, dtype=torch.float64)
        # Task 2 gets sharp distributions, so that its entropy lies below its band.
        self.features_BTD[TASK_B == 2] *= 6
        self.weight = torch.nn.Parameter(torch.randn(6, 8, generator=generator, dtype=torch.float64) * 0.3)

    def entropy(self, rows: Tensor) -> Tensor:
        log_prob = torch.log_softmax(self.features_BTD[rows] @ self.weight, dim=-1)
        return -(log_prob.exp() * log_prob).sum(-1)


def gradient(loss: Tensor, policy: Policy) -> Tensor:
    return torch.autograd.grad(loss, policy.weight)[0]


def means(policy: Policy) -> tuple[Tensor, Tensor]:
    entropy_B, tokens_B = row_entropy(policy.entropy(torch.arange(12)), MASK_BT)
    return task_entropy(entropy_B, tokens_B, TASK_B, 3)


def hinge_gradient(policy: Policy) -> Tensor:
    """Gradient of the penalty as the paper writes it, over the whole batch at once."""
    entropy_BT = policy.entropy(torch.arange(12))
    mean_K = torch.stack([entropy_BT[(task == TASK_B)[:, None] & MASK_BT].mean() for task in range(3)])
    zero = torch.zeros(())
    return gradient(COEFF * (torch.maximum(zero, mean_K - HIGH) + torch.maximum(zero, LOW - mean_K)).sum(), policy)


def weights(policy: Policy, mini_batches: int = 1) -> Tensor:
    with torch.no_grad():
        entropy_K, tokens_K = means(policy)
    side_K = band_side(entropy_K, LOW, HIGH)
    assert side_K.tolist() == [1, 0, -1]
    return row_weights(
        side_K, tokens_K, torch.full((3,), COEFF, dtype=torch.float64), TASK_B, mini_batches=mini_batches
    )


def rank_gradient(policy: Policy, weight_B: Tensor, rows: Tensor, micro_batch: int, dp_size: int) -> Tensor:
    """What one rank accumulates: micro-batches of its rows, each padded to its own longest response."""
    total = torch.zeros_like(policy.weight)
    for chunk in rows.split(micro_batch):
        width = max(int(TOKENS_B[chunk].max()), 1)
        entropy_BT, mask_BT = policy.entropy(chunk)[:, :width], MASK_BT[chunk, :width]
        total += gradient(entropy_term(entropy_BT, mask_BT, weight_B[chunk], dp_size=dp_size), policy)
    return total


@pytest.mark.parametrize("mini_batches", [1, 2, 3])
@pytest.mark.parametrize(("dp_size", "micro_batch"), [(1, 12), (1, 1), (1, 5), (2, 1), (2, 3), (3, 2), (4, 1)])
def test_gradient_is_the_hinge_s_own_under_any_cut(dp_size, micro_batch, mini_batches):
    order = torch.randperm(12, generator=torch.Generator().manual_seed(dp_size + micro_batch))
    policy = Policy()
    weight_B = weights(policy, mini_batches)
    steps = []
    for mini_batch in order.split(12 // mini_batches):
        ranks = [mini_batch[i::dp_size] for i in range(dp_size)]
        grads = [rank_gradient(policy, weight_B, rows, micro_batch, dp_size) for rows in ranks]
        steps.append(torch.stack(grads).mean(0))  # FSDP averages over ranks
    # An epoch's mini-batches are M optimizer steps; each carries M times its rows' part.
    torch.testing.assert_close(torch.stack(steps).mean(0), hinge_gradient(policy), atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize(("task", "moves"), [(0, -1), (2, 1)])
def test_a_descent_step_moves_the_entropy_towards_the_band(task, moves):
    policy = Policy()
    before = means(policy)[0][task].item()
    own = (task == TASK_B).double()
    term = entropy_term(policy.entropy(torch.arange(12)), MASK_BT, weights(policy) * own, dp_size=1)
    with torch.no_grad():
        policy.weight -= 0.5 * gradient(term, policy)
    assert (means(policy)[0][task].item() - before) * moves > 1e-4


def test_a_task_inside_its_band_has_no_gradient():
    policy = Policy()
    term = entropy_term(policy.entropy(torch.arange(12)), MASK_BT, weights(policy) * (TASK_B == 1), dp_size=2)
    assert gradient(term, policy).abs().max() == 0


def test_sampled_log_probabilities_in_place_of_the_entropy_raise_it_above_the_band():
    """The published code's term in exact expectation: -log p of the samples, gated by the same samples."""
    logits = torch.tensor([2.0, 0.0, -1.0], dtype=torch.float64, requires_grad=True)
    prob, log_prob = torch.softmax(logits, -1), torch.log_softmax(logits, -1)
    entropy = -(prob * log_prob).sum()
    # With one sample, -log p is above the band only where a rare token was drawn; descent makes that token likelier.
    gate = (-log_prob > 0.6).double()
    published = torch.autograd.grad((prob.detach() * gate * -log_prob).sum(), logits, retain_graph=True)[0]
    ours = torch.autograd.grad(entropy, logits)[0]

    def change(step: Tensor) -> float:
        moved = torch.softmax(logits.detach() - 0.1 * step, -1)
        return float(-(moved * moved.log()).sum() - entropy.detach())

    assert entropy > 0.4
    assert change(published) > 0 > change(ours)


def test_task_entropy_weighs_tokens_and_leaves_padding_out():
    entropy_BT = torch.tensor([[1.0, 1.0, 1.0], [4.0, float("nan"), 9.0], [7.0, 7.0, 7.0]])
    mask_BT = torch.tensor([[1, 1, 1], [1, 0, 0], [0, 0, 0]])
    entropy_K, tokens_K = task_entropy(*row_entropy(entropy_BT, mask_BT), torch.tensor([0, 0, 1]))
    assert entropy_K.tolist() == [1.75, 0.0]
    assert tokens_K.tolist() == [4.0, 0.0]


@settings(deadline=None, max_examples=50)
@given(st.lists(st.tuples(st.floats(0, 50), st.integers(0, 9), st.integers(0, 3)), max_size=30))
def test_task_entropy_equals_its_twin(rows):
    entropy = torch.tensor([r[0] for r in rows], dtype=torch.float64)
    tokens = torch.tensor([r[1] for r in rows], dtype=torch.long)
    task = torch.tensor([r[2] for r in rows], dtype=torch.long)
    entropy_K, tokens_K = task_entropy(entropy, tokens, task, 4)
    for k in range(4):
        count = sum(r[1] for r in rows if r[2] == k)
        total = sum(r[0] for r in rows if r[2] == k and r[1])
        assert tokens_K[k] == count
        assert entropy_K[k].item() == pytest.approx(total / count if count else 0.0)


def test_spared_rows_leave_the_hinge_of_the_rest_below_the_band_and_of_all_above():
    policy = Policy()
    entropy_BT = policy.entropy(torch.arange(12))
    spared_B = (torch.arange(12) % 2 == 0) & (TASK_B != 1)  # of task 2, and of task 0, which is above its band
    rest_BT = MASK_BT & ((TASK_B != 2) | ~spared_B)[:, None]
    mean_K = [entropy_BT[(task == TASK_B)[:, None] & rest_BT].mean() for task in range(3)]
    expected = gradient(COEFF * ((mean_K[0] - HIGH[0]) + (LOW[2] - mean_K[2])), policy)

    entropy_B, all_B = row_entropy(entropy_BT.detach(), MASK_BT)
    entropy_K, tokens_K, tokens_B = spare(entropy_B, all_B, TASK_B, spared_B, HIGH)
    assert entropy_K.tolist() == pytest.approx([mean.item() for mean in mean_K])
    coeff_K = torch.full((3,), COEFF, dtype=torch.float64)
    weight_B = row_weights(band_side(entropy_K, LOW, HIGH), tokens_K, coeff_K, TASK_B, mini_batches=1)
    term = entropy_term(policy.entropy(torch.arange(12)), MASK_BT, weight_B.masked_fill(tokens_B == 0, 0), dp_size=1)
    torch.testing.assert_close(gradient(term, policy), expected)


def test_a_rest_above_the_band_is_inside_it_where_all_rows_are():
    entropy_B, tokens_B = torch.tensor([0.1, 0.9]), torch.tensor([1.0, 1.0])
    high_K, spared_B = torch.tensor([0.6], dtype=torch.float64), torch.tensor([True, False])
    entropy_K, tokens_K, _ = spare(entropy_B, tokens_B, torch.tensor([0, 0]), spared_B, high_K)
    assert (entropy_K.tolist(), tokens_K.tolist()) == ([0.6], [1.0])


def test_entropy_that_is_no_number_is_an_error_naming_the_row():
    with pytest.raises(ValueError, match=r"rows \[1\]"):
        task_entropy(torch.tensor([1.0, float("nan")]), torch.tensor([2, 2]), torch.tensor([0, 0]))


def test_edges_of_the_band_cost_nothing():
    low, high = torch.tensor([0.2] * 4), torch.tensor([0.6] * 4)
    entropy = torch.tensor([0.2, 0.6, 0.61, 0.19])
    assert band_side(entropy, low, high).tolist() == [0, 0, 1, -1]


def test_weight_is_coeff_side_minibatches_over_tokens():
    side, tokens, coeff = (
        torch.tensor([1.0, -1.0, -1.0]),
        torch.tensor([50.0, 10.0, 0.0]),
        torch.tensor([0.1, 0.2, 0.3]),
    )
    weight = row_weights(side, tokens, coeff, torch.tensor([1, 0, 2, 0]), mini_batches=4)
    assert weight.tolist() == pytest.approx([-0.08, 0.008, 0.0, 0.008])
    with pytest.raises(ValueError, match="mini_batches"):
        row_weights(side, tokens, coeff, torch.tensor([0]), mini_batches=0)


def test_masked_tokens_that_are_no_numbers_leave_loss_and_gradient_clean():
    entropy = torch.tensor([[0.5, float("nan")]], requires_grad=True)
    term = entropy_term(entropy, torch.tensor([[1, 0]]), torch.tensor([2.0]), dp_size=3)
    term.backward()
    assert term.item() == 3.0
    assert entropy.grad.tolist() == [[6.0, 0.0]]


def test_a_weight_below_the_smallest_half_counts():
    entropy = torch.full((1, 4), 0.5, dtype=torch.float16, requires_grad=True)
    term = entropy_term(entropy, torch.ones(1, 4), torch.tensor([1e-8]), dp_size=1)
    assert term.item() == pytest.approx(2e-8)
