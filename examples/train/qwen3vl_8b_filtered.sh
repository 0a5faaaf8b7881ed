#!/usr/bin/env bash
# The recipe with dynamic filtering: prompt groups whose mean accuracy lies outside 0.01 to 0.99 are dropped and replaced.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_g2rpo_filtered}
exec bash "$(dirname "$0")/qwen3vl_8b.sh" \
    algorithm.filter_groups.enable=true \
    algorithm.filter_groups.metric=accuracy \
    "$@"
