#!/usr/bin/env bash
# The recipe with length shaping alone.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_g2rpo_length_only}
exec bash "$(dirname "$0")/../train/qwen3vl_8b.sh" verl_ext.defaults.entropy_coeff=0 "$@"
