#!/usr/bin/env bash
# The paper's recipe with Megatron in place of FSDP2 (needs megatron-core, Transformer Engine and mbridge, which verl's
# images bring). SMOKE=1 leaves Megatron out, since it needs a GPU: it runs all but the engine.
set -euo pipefail
export NAME=${NAME:-qwen3vl_8b_megatron_g2rpo}
TP=${TP:-4} PP=${PP:-1}
MEGATRON=()
if [ -z "${SMOKE:-}" ]; then
    export ENGINE=megatron
    MEGATRON=(
        model_engine=megatron
        actor_rollout_ref.actor.megatron.tensor_model_parallel_size="$TP"
        actor_rollout_ref.actor.megatron.pipeline_model_parallel_size="$PP"
        actor_rollout_ref.actor.megatron.use_mbridge=true
        actor_rollout_ref.actor.megatron.param_offload=true
        actor_rollout_ref.actor.megatron.optimizer_offload=true
    )
fi
exec bash "$(dirname "$0")/qwen3vl_8b.sh" "${MEGATRON[@]}" "$@"
