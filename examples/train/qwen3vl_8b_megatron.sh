#!/usr/bin/env bash
# The paper's recipe with Megatron in place of FSDP2 (needs megatron-core, Transformer Engine and mbridge, which verl's
# images bring). SMOKE=1 leaves Megatron out, since it needs a GPU: it runs all but the engine.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_megatron_g2rpo}
MEGATRON_TP=${MEGATRON_TP:-4} MEGATRON_PP=${MEGATRON_PP:-1}  # tensor and pipeline parallel
MEGATRON=()
if [ -z "${SMOKE:-}" ]; then
    export ENGINE=megatron
    MEGATRON=(
        model_engine=megatron
        actor_rollout_ref.actor.megatron.tensor_model_parallel_size="$MEGATRON_TP"
        actor_rollout_ref.actor.megatron.pipeline_model_parallel_size="$MEGATRON_PP"
        actor_rollout_ref.actor.megatron.use_mbridge=true
        # In chunks it fails with a gradient: they are views of one tensor, which the backward changes in place.
        actor_rollout_ref.actor.entropy_from_logits_with_chunking=false
        # verl's own switch of gradient checkpointing is for FSDP.
        actor_rollout_ref.actor.megatron.override_transformer_config.recompute_granularity=full
        actor_rollout_ref.actor.megatron.override_transformer_config.recompute_method=uniform
        actor_rollout_ref.actor.megatron.override_transformer_config.recompute_num_layers=1
        actor_rollout_ref.actor.megatron.param_offload=true
        actor_rollout_ref.actor.megatron.optimizer_offload=true
    )
fi
exec bash "$(dirname "$0")/qwen3vl_8b.sh" "${MEGATRON[@]}" "$@"
