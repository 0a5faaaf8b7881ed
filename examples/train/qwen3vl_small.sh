#!/usr/bin/env bash
# Qwen3-VL-2B (MODEL=Qwen/Qwen3-VL-4B-Instruct: 4B) on one or two 80 GB GPUs (GPUS=2): the recipe at an eighth of the batch.
set -euo pipefail
export MODEL=${MODEL:-Qwen/Qwen3-VL-2B-Instruct} GPUS=${GPUS:-1} TENSOR_PARALLEL=${TENSOR_PARALLEL:-1}
export PROMPTS=${PROMPTS:-64} MINI_PROMPTS=${MINI_PROMPTS:-16} OFFLOAD=${OFFLOAD:-false}
export NAME=${NAME:-qwen3vl_small_g2rpo}
export PROMPT_TOKENS=${PROMPT_TOKENS:-4096} RESPONSE_TOKENS=${RESPONSE_TOKENS:-2048} TOKENS_PER_GPU=${TOKENS_PER_GPU:-12288}
exec bash "$(dirname "$0")/qwen3vl_8b.sh" \
    actor_rollout_ref.rollout.gpu_memory_utilization=0.4 \
    "$@"
