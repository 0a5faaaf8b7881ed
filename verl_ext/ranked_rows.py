"""Which rows of a batch take a rank: not those that only pad it, and of a session's outputs only the last.

Axes: N rows of the batch, R rows that take a rank.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from verl_ext.ranking import dense


@dataclass(frozen=True)
class RankedRows:
    row_R: Tensor
    """Row of the batch."""
    valid_N: Tensor
    """False for rows that only pad the batch."""
    source_N: Tensor | None
    """Row whose rank stands for each row; None where every row stands for itself."""

    def pick(self, value_N: Tensor) -> Tensor:
        return value_N.index_select(0, self.row_R)

    def spread(self, value_R: Tensor) -> Tensor:
        """Values for all rows: those of a session share one, padding rows get 0 (False)."""
        value_N = torch.zeros(self.valid_N.shape, dtype=value_R.dtype, device=value_R.device)
        value_N.scatter_(0, self.row_R, value_R)
        if self.source_N is None:
            return value_N
        return torch.where(self.valid_N, value_N.index_select(0, self.source_N), value_N)


def ranked_rows(
    rewards_N: Tensor,
    *,
    valid_N: Tensor | None,
    session_N: Tensor | None,
    final_N: Tensor | None,
    **ids: Tensor | None,
) -> RankedRows:
    """Rows that take a rank. `ids` are further columns of the batch, of which only the shape is looked at.

    A session whose last output has no tokens left (verl's rejection sampling masks them) takes no rank either. Raises
    ValueError for NaN or infinite rewards of valid rows, mismatched shapes, and sessions with no row or several marked
    in `final_N`.
    """
    _check_shapes(rewards_N, valid_N=valid_N, session_N=session_N, final_N=final_N, **ids)
    valid_N = torch.ones_like(rewards_N, dtype=torch.bool) if valid_N is None else valid_N.bool()
    _check_finite(rewards_N, valid_N)
    if session_N is None:
        return RankedRows(torch.nonzero(valid_N).squeeze(1), valid_N, None)
    if final_N is None:
        raise ValueError("session_N needs final_N, the mask of each session's last output")
    return RankedRows(
        torch.nonzero(valid_N & final_N.bool()).squeeze(1),
        valid_N,
        _session_sources(session_N, final_N.bool(), valid_N),
    )


def rows_with_tokens(mask_BT: Tensor) -> Tensor:
    """Rows (B,) whose response mask is not all zero: all but those that pad the batch.

    Looks at whole rows only where the first token is masked: the mask may hold as many numbers as the rewards.
    """
    valid_B = mask_BT[:, :1].any(-1)
    if not valid_B.all():
        rest = torch.nonzero(~valid_B).squeeze(1)
        valid_B[rest] = mask_BT[rest].any(-1)
    return valid_B


def _check_shapes(rewards_N: Tensor, **others: Tensor | None) -> None:
    if rewards_N.ndim != 1:
        raise ValueError(
            f"rewards_N has shape {tuple(rewards_N.shape)}; give one scalar per row (sum over tokens first)"
        )
    for name, other in others.items():
        if other is not None and other.shape != rewards_N.shape:
            raise ValueError(f"{name} has shape {tuple(other.shape)}; rewards_N has {tuple(rewards_N.shape)}")


def _check_finite(rewards_N: Tensor, valid_N: Tensor) -> None:
    bad_N = valid_N & ~torch.isfinite(rewards_N)
    if bad_N.any():
        rows = torch.nonzero(bad_N).squeeze(1)
        shown = ", ".join(f"row {i}: {rewards_N[i].item()}" for i in rows[:5].tolist())
        raise ValueError(
            f"{rows.numel()} reward(s) are NaN or infinite ({shown}{', ...' if rows.numel() > 5 else ''}); "
            "fix the reward function: a rank of such a value has no meaning"
        )


def _session_sources(session_N: Tensor, final_N: Tensor, valid_N: Tensor) -> Tensor:
    """Row (N,) whose reward ranks each row's session; padding rows point at themselves."""
    id_N, row_N = dense(session_N), torch.arange(session_N.numel(), device=session_N.device)
    finals_S = torch.bincount(id_N[final_N], minlength=session_N.numel())
    wrong_N = valid_N & (finals_S.index_select(0, id_N) != 1)
    if wrong_N.any():
        shown = torch.unique(session_N[wrong_N])[:5].tolist()
        raise ValueError(f"sessions {shown} do not have exactly one row marked in final_N")
    final_row_S = torch.zeros_like(row_N).scatter_(0, id_N[final_N], row_N[final_N])
    return torch.where(valid_N, final_row_S.index_select(0, id_N), row_N)
