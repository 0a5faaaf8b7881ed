#!/usr/bin/env bash
# The recipe with both shapings, under the name of the ablation: the same command as examples/train/qwen3vl_8b.sh.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_g2rpo_all}
exec bash "$(dirname "$0")/../train/qwen3vl_8b.sh" "$@"
