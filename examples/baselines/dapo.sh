#!/usr/bin/env bash
# DAPO (arXiv 2503.14476): GRPO with a higher upper clip, token-mean loss and dynamic sampling; no shaping.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_dapo}
exec bash "$(dirname "$0")/grpo.sh" \
    actor_rollout_ref.actor.clip_ratio_low=0.2 \
    actor_rollout_ref.actor.clip_ratio_high=0.28 \
    actor_rollout_ref.actor.loss_agg_mode=token-mean \
    algorithm.filter_groups.enable=true \
    algorithm.filter_groups.metric=accuracy \
    "$@"
