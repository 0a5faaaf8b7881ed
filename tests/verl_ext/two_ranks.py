"""One of two data-parallel ranks: `python two_ranks.py RANK FOLDER`. Rank 0 writes FOLDER/differences.json, the largest
difference of gradients and parameters from a single process that takes every mini-batch whole.
"""

import json
import pickle
import sys
from pathlib import Path

import test_loss
import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

from verl_ext.loss import shaped_ppo_loss

# Mini-batches -> per mini-batch the micro-batches of rank 0 and of rank 1, as many for both: FSDP2 joins each.
CUTS = {
    1: [([[4, 1], [0]], [[2], [5, 3]])],
    3: [([[0]], [[1]]), ([[2]], [[5]]), ([[4]], [[3]])],
}
EPOCHS = 2


class Policy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        torch.manual_seed(1)
        self.embed = torch.nn.Embedding(test_loss.VOCABULARY, 8)
        self.head = torch.nn.Linear(8, test_loss.VOCABULARY)

    def forward(self, tokens):
        return self.head(torch.tanh(self.embed(tokens)))


def rows_of(policy, rows):
    """Logits of some rows, the others None."""
    lengths = [test_loss.PROMPT[i] + test_loss.RESPONSE[i] for i in rows]
    tokens = torch.cat([torch.arange(i, i + n) ** 2 % test_loss.VOCABULARY for i, n in zip(rows, lengths, strict=True)])
    logits = dict(zip(rows, policy(tokens).split(lengths), strict=True))
    return [logits.get(i) for i in range(6)]


def steps(policy, actor, cuts, *, dp_size, weight, layout):
    """Gradients of each optimiser step and the parameters after the last."""
    old = [torch.full((n,), -2.0) for n in test_loss.RESPONSE]
    advantage = [torch.full((n,), float(i - 2)) for i, n in enumerate(test_loss.RESPONSE)]
    optimiser, seen = torch.optim.SGD(policy.parameters(), lr=0.5), []
    for mini_batch, micro_batches in cuts * EPOCHS:
        optimiser.zero_grad()
        for rows in micro_batches:
            how = {"dp_size": dp_size, "weight": weight, "layout": layout, "mini_batch": mini_batch}
            batch = test_loss.micro_batch((rows_of(policy, rows), old, advantage), rows, **how)
            shaped_ppo_loss(actor, *batch)[0].backward()
        seen += [whole(parameter.grad) for parameter in policy.parameters()]
        optimiser.step()
    return seen + [whole(parameter.detach()) for parameter in policy.parameters()]


def whole(tensor):
    return tensor.full_tensor() if hasattr(tensor, "full_tensor") else tensor.clone()


def main(rank, folder):
    dist.init_process_group("gloo", init_method=f"file://{folder}/meeting", rank=rank, world_size=2)
    mesh, largest = init_device_mesh("cpu", (2,)), {}
    actor = pickle.loads((folder / "actor.pickle").read_bytes())
    for mode in test_loss.MODES:
        test_loss.set_mode(actor, mode)
        for count, cuts in CUTS.items():
            weight = test_loss.weights(rows_of(Policy(), range(6)), count)
            mini_batches = [[row for part in (*zero, *one) for row in part] for zero, one in cuts]
            alone = list(zip(mini_batches, [[rows] for rows in mini_batches], strict=True))
            own = list(zip(mini_batches, [cut[rank] for cut in cuts], strict=True))
            expected = steps(Policy(), actor, alone, dp_size=1, weight=weight, layout="packed")
            sharded = fully_shard(Policy(), mesh=mesh)
            got = steps(sharded, actor, own, dp_size=2, weight=weight, layout="padded")
            differences = [(a - b).abs().max().item() for a, b in zip(expected, got, strict=True)]
            largest[f"{mode}, {count} mini-batches"] = max(differences)
    if rank == 0:
        (folder / "differences.json").write_text(json.dumps(largest))
    dist.destroy_process_group()


if __name__ == "__main__":
    torch.set_num_threads(1)
    main(int(sys.argv[1]), Path(sys.argv[2]))
