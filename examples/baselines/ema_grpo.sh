#!/usr/bin/env bash
# EMA-GRPO (OneThinker, arXiv 2512.03043): centred rewards over the moving deviation of their task, no shaping.
set -euo pipefail
export ESTIMATOR=ema_grpo NAME=${NAME:-qwen3vl_8b_ema_grpo}
exec bash "$(dirname "$0")/../ablation/no_shaping.sh" "$@"
