#!/usr/bin/env bash
# verl's validation of a model (hub id or folder) over prepared benchmark files, on vLLM replicas over all GPUs, then the
# benchmarks' table. One run a file: interrupted, the same command goes on with the files that are not done.
#   MODEL=Qwen/Qwen3-VL-8B-Instruct FILES="data/mmstar/val.parquet data/chartqa/test.parquet" bash examples/train/evaluate.sh
# TEMPERATURE=0 for greedy answers. Answers of another model, data or settings are not used again: settings.txt beside them
# says what made them. A checkpoint first becomes a folder: see "Checkpoints" in docs/scaling.md.
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/train/launch.sh

MODEL=${MODEL:-Qwen/Qwen3-VL-8B-Instruct}
FILES=${FILES:-data/mmstar/val.parquet}
OUT=${OUT:-runs/evaluation/$(basename "$MODEL")}
TEMPERATURE=${TEMPERATURE:-0.7}
TOP_P=${TOP_P:-0.95}
GPUS=${GPUS:-8}
TENSOR_PARALLEL=${TENSOR_PARALLEL:-1}  # of a replica
PROMPT_TOKENS=${PROMPT_TOKENS:-16384}
RESPONSE_TOKENS=${RESPONSE_TOKENS:-4096}
PATCH=${PATCH:-16}                     # 16 for Qwen3-VL, 14 for Qwen2.5-VL

MODEL_AND_ROLLOUT=(
    actor_rollout_ref.model.path="$MODEL"
    actor_rollout_ref.actor.strategy=fsdp2
    actor_rollout_ref.actor.fsdp_config.param_offload=true  # the actor is built, in fp32, and idle
    actor_rollout_ref.actor.fsdp_config.optimizer_offload=true
    actor_rollout_ref.actor.ppo_mini_batch_size="$GPUS"
    actor_rollout_ref.actor.use_dynamic_bsz=true
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu="$((PROMPT_TOKENS + RESPONSE_TOKENS))"
    actor_rollout_ref.rollout.name=vllm
    actor_rollout_ref.rollout.tensor_model_parallel_size="$TENSOR_PARALLEL"
    actor_rollout_ref.rollout.gpu_memory_utilization=0.6
    actor_rollout_ref.rollout.max_num_batched_tokens="$((PROMPT_TOKENS + RESPONSE_TOKENS))"
    actor_rollout_ref.rollout.val_kwargs.do_sample="$([ "$TEMPERATURE" = 0 ] && echo false || echo true)"
    actor_rollout_ref.rollout.val_kwargs.temperature="$TEMPERATURE"
    actor_rollout_ref.rollout.val_kwargs.top_p="$TOP_P"
)
DATA=(
    data.max_prompt_length="$PROMPT_TOKENS"
    data.max_response_length="$RESPONSE_TOKENS"
    data.image_patch_size="$PATCH"
    data.train_batch_size="$GPUS"
)

settings() {  # what the answers to a file depend on; checksum and size, as a file may be moved
    echo "model: $MODEL"
    echo "sampling: temperature $TEMPERATURE, top_p $TOP_P"
    echo "tokens: prompt $PROMPT_TOKENS, response $RESPONSE_TOKENS; patch $PATCH"
    echo "data: $(cksum < "$1") $(basename "$1")"
    shift
    echo "overrides: $*"
}

run_of() { echo "$OUT/$(basename "$(dirname "$1")")_$(basename "$1" .parquet)"; }

REAL=1
if [ -n "${DRY_RUN:-}${SMOKE:-}${DOCTOR:-}" ]; then REAL=; fi
declare -A OWNER=()
for file in $FILES; do  # before the first validation, which takes long
    if [ -n "$REAL" ] && ! { [ -f "$file" ] && [ -s "$file" ]; }; then
        echo "evaluate: $file is not there or is empty: prepare it (python -m data_prep list), or leave it out of FILES" >&2
        exit 1
    fi
    run=$(run_of "$file")
    if [ -n "${OWNER[$run]:-}" ]; then
        echo "evaluate: ${OWNER[$run]} and $file would both be the run $run: rename a folder, or evaluate them apart" \
            "(OUT=…)" >&2
        exit 1
    fi
    OWNER[$run]=$file
done
VALIDATIONS=()
for file in $FILES; do
    run=$(run_of "$file")
    VALIDATIONS+=("$run/validation/0.jsonl")
    if [ -n "$REAL" ]; then
        now=$(settings "$file" "$@")
        if [ -s "$run/validation/0.jsonl" ]; then
            known=$(cat "$run/settings.txt" 2>/dev/null || echo "unknown: no settings.txt")
            if [ "$known" = "$now" ]; then continue; fi
            printf '%s\n' "evaluate: $run holds answers that were made with" "$known" "and this run has" "$now" \
                "name another folder (OUT=…), or delete that one" >&2
            exit 1
        fi
        mkdir -p "$run"
        echo "$now" > "$run/settings.txt"
    fi
    launch "${MODEL_AND_ROLLOUT[@]}" "${DATA[@]}" \
        data.train_files="$file" data.val_files="$file" \
        trainer.val_only=true trainer.n_gpus_per_node="$GPUS" trainer.logger='["console"]' \
        trainer.default_local_dir="$run/checkpoints" trainer.validation_data_dir="$run/validation" \
        verl_ext.run_dir="$run" "$@"
done
if [ -n "$REAL" ]; then
    "${PYTHON_BIN:-python}" -m verl_ext.evaluate table "${VALIDATIONS[@]}" --data $FILES
fi
