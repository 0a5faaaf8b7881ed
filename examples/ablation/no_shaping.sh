#!/usr/bin/env bash
# The recipe without length and entropy shaping.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_g2rpo_no_shaping}
exec bash "$(dirname "$0")/../train/qwen3vl_8b.sh" \
    verl_ext.defaults.length_weight=0 \
    verl_ext.defaults.entropy_coeff=0 \
    "$@"
