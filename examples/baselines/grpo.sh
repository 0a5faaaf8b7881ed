#!/usr/bin/env bash
# GRPO on the recipe's data and budget: verl's own estimator, no shaping.
set -euo pipefail
export ESTIMATOR=grpo NAME=${NAME:-qwen3vl_8b_grpo}
exec bash "$(dirname "$0")/../ablation/no_shaping.sh" "$@"
