#!/usr/bin/env bash
# The recipe with entropy shaping alone.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_g2rpo_entropy_only}
exec bash "$(dirname "$0")/../train/qwen3vl_8b.sh" verl_ext.defaults.length_weight=0 "$@"
