#!/usr/bin/env bash
# GDPO: verl's own estimator, which normalises each part of the reward apart; no shaping.
set -euo pipefail
export ESTIMATOR=gdpo NAME=${NAME:-qwen3vl_8b_gdpo}
exec bash "$(dirname "$0")/../ablation/no_shaping.sh" \
    +algorithm.gdpo_reward_keys='[accuracy,format]' \
    "$@"
