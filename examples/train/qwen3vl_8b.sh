#!/usr/bin/env bash
# The paper's recipe (OpenVLThinkerV2, arXiv 2604.08539): Qwen3-VL-8B-Instruct with G2RPO, length and entropy shaping on one
# node of eight 80 GB GPUs: FSDP2, vLLM. Adjust by environment variables; further arguments go to Hydra.
#   python -m data_prep prepare onethinker --input ONETHINKER_FOLDER --split train val --out data/onethinker
#   bash examples/train/qwen3vl_8b.sh      other files: TRAIN_FILES=… VAL_FILES=…
#   DRY_RUN=1 prints the command, DOCTOR=1 checks the run, SMOKE=1 runs two steps of it without a GPU on a tiny model.
set -euo pipefail
cd "$(dirname "$0")/../.."
source examples/train/launch.sh

MODEL=${MODEL:-Qwen/Qwen3-VL-8B-Instruct}
TRAIN_FILES=${TRAIN_FILES:-data/onethinker/train.parquet}
VAL_FILES=${VAL_FILES:-data/onethinker/val.parquet}
NAME=${NAME:-qwen3vl_8b_g2rpo}
RUN=${RUN:-runs/$NAME}
ESTIMATOR=${ESTIMATOR:-g2rpo}
NNODES=${NNODES:-1}
GPUS=${GPUS:-8}                        # of each node
ENGINE=${ENGINE:-fsdp2}                # or megatron
OFFLOAD=${OFFLOAD:-true}               # parameters and optimiser states of FSDP2 rest in host memory
TENSOR_PARALLEL=${TENSOR_PARALLEL:-2}  # of vLLM
PROMPTS=${PROMPTS:-512}                # of a step
MINI_PROMPTS=${MINI_PROMPTS:-128}      # of an optimiser step
RESPONSES=${RESPONSES:-8}              # to each prompt
LEARNING_RATE=${LEARNING_RATE:-2e-6}
PROMPT_TOKENS=${PROMPT_TOKENS:-16384}
RESPONSE_TOKENS=${RESPONSE_TOKENS:-4096}
TOKENS_PER_GPU=${TOKENS_PER_GPU:-24576}  # of a micro-batch; at least prompt + response
PATCH=${PATCH:-16}                     # of the vision tower: 16 for Qwen3-VL, 14 for Qwen2.5-VL
FILTER_WORKERS=${FILTER_WORKERS:-16}   # processes that measure the prompts before the first step
SEEDED=${SEEDED:-false}                # a seed per request: repeatable responses, but slower sampling
LOGGER=${LOGGER:-'["console","tensorboard"]'}

DATA=(
    data.train_files="$TRAIN_FILES"
    data.val_files="$VAL_FILES"
    data.train_batch_size="$PROMPTS"
    data.max_prompt_length="$PROMPT_TOKENS"
    data.max_response_length="$RESPONSE_TOKENS"
    data.image_patch_size="$PATCH"
    data.filter_overlong_prompts=true
    data.filter_overlong_prompts_workers="$FILTER_WORKERS"
    data.truncation=error
)
ALGORITHM=(
    algorithm.adv_estimator="$ESTIMATOR"
    algorithm.use_kl_in_reward=false
)
ACTOR=(
    actor_rollout_ref.model.path="$MODEL"
    actor_rollout_ref.model.use_remove_padding=true
    actor_rollout_ref.model.enable_gradient_checkpointing=true
    actor_rollout_ref.actor.strategy="$ENGINE"
    actor_rollout_ref.actor.optim.lr="$LEARNING_RATE"
    actor_rollout_ref.actor.optim.weight_decay=0.01
    actor_rollout_ref.actor.optim.clip_grad=1.0
    actor_rollout_ref.actor.ppo_mini_batch_size="$MINI_PROMPTS"
    actor_rollout_ref.actor.use_dynamic_bsz=true
    actor_rollout_ref.actor.ppo_max_token_len_per_gpu="$TOKENS_PER_GPU"
    actor_rollout_ref.actor.use_kl_loss=false
)
if [ "$ENGINE" = fsdp2 ]; then
    ACTOR+=(
        # Keeps nothing of the entropy for its gradient, where chunks keep fp32 copies; and fused kernels spoil the
        # head's gradient (docs/troubleshooting.md, 26).
        actor_rollout_ref.actor.entropy_checkpointing=true
        actor_rollout_ref.actor.fsdp_config.param_offload="$OFFLOAD"
        actor_rollout_ref.actor.fsdp_config.optimizer_offload="$OFFLOAD"
    )
fi
ROLLOUT=(
    actor_rollout_ref.rollout.name=vllm
    actor_rollout_ref.rollout.n="$RESPONSES"
    actor_rollout_ref.rollout.temperature=1.0
    actor_rollout_ref.rollout.top_p=1.0
    actor_rollout_ref.rollout.tensor_model_parallel_size="$TENSOR_PARALLEL"
    actor_rollout_ref.rollout.gpu_memory_utilization=0.6
    actor_rollout_ref.rollout.max_num_batched_tokens="$((PROMPT_TOKENS + RESPONSE_TOKENS))"
    actor_rollout_ref.rollout.val_kwargs.do_sample=true
    actor_rollout_ref.rollout.val_kwargs.temperature=0.7
    actor_rollout_ref.rollout.val_kwargs.top_p=0.95
)
TRAINER=(
    trainer.nnodes="$NNODES"
    trainer.n_gpus_per_node="$GPUS"
    trainer.total_epochs=1
    trainer.test_freq=20
    trainer.save_freq=20
    trainer.max_actor_ckpt_to_keep=3
    trainer.project_name=verl_ext
    trainer.experiment_name="$NAME"
    trainer.logger="$LOGGER"
    trainer.default_local_dir="$RUN/checkpoints"
    trainer.validation_data_dir="$RUN/validation"
    verl_ext.run_dir="$RUN"
    verl_ext.seeded_rollouts="$SEEDED"
)

launch "${DATA[@]}" "${ALGORITHM[@]}" "${ACTOR[@]}" "${ROLLOUT[@]}" "${TRAINER[@]}" "$@"
