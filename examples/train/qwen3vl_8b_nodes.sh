#!/usr/bin/env bash
# The paper's recipe on several nodes. First a Ray cluster: `ray start --head --port=6379` on one node, `ray start
# --address=HEAD:6379` on the others; then this script on the head. Under SLURM: examples/train/slurm.sh does both.
# The files of data, model and run must be reachable from every node under the same paths.
set -euo pipefail
export NNODES=${NNODES:-4} RAY_ADDRESS=${RAY_ADDRESS:-auto}
export OFFLOAD=${OFFLOAD:-false} NAME=${NAME:-qwen3vl_8b_g2rpo_nodes}
if [ -n "${SMOKE:-}" ]; then unset RAY_ADDRESS; fi
exec bash "$(dirname "$0")/qwen3vl_8b.sh" "$@"
