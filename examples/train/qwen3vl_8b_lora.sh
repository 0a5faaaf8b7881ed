#!/usr/bin/env bash
# LoRA on the language model of Qwen3-VL-8B, on four 80 GB GPUs; the vision tower stays as it is.
set -euo pipefail
export GPUS=${GPUS:-4} PROMPTS=${PROMPTS:-256} MINI_PROMPTS=${MINI_PROMPTS:-64} LEARNING_RATE=${LEARNING_RATE:-2e-5}
export NAME=${NAME:-qwen3vl_8b_lora_g2rpo}
exec bash "$(dirname "$0")/qwen3vl_8b.sh" \
    actor_rollout_ref.model.lora_rank="${LORA_RANK:-64}" \
    actor_rollout_ref.model.lora_alpha="${LORA_ALPHA:-64}" \
    actor_rollout_ref.model.target_modules=all-linear \
    actor_rollout_ref.model.exclude_modules='".*visual.*"' \
    actor_rollout_ref.rollout.load_format=safetensors \
    "$@"
