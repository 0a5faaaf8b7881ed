#!/usr/bin/env bash
# Dr.GRPO (arXiv 2503.20783): centred rewards, and a loss that no response's own length divides.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_dr_grpo}
exec bash "$(dirname "$0")/grpo.sh" \
    algorithm.norm_adv_by_std_in_grpo=false \
    actor_rollout_ref.actor.loss_agg_mode=seq-mean-token-sum-norm \
    actor_rollout_ref.actor.loss_scale_factor="${RESPONSE_TOKENS:-4096}" \
    "$@"
