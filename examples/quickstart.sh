#!/usr/bin/env bash
# The whole pipeline without a GPU: makes the environment and a data set of six kinds of image task, trains a tiny
# Qwen3-VL that half knows them with G2RPO, length and entropy shaping through verl (Ray, vLLM, FSDP2), and reports.
#   bash examples/quickstart.sh                    settings below from the environment; further arguments go to Hydra
# Interrupted, it goes on from the last checkpoint; run again, it uses what is there.
set -euo pipefail
cd "$(dirname "$0")/.."

export EXTRA=${EXTRA:-cpu}
source examples/venv.sh
OUT=${OUT:-runs/quickstart}          # the run: checkpoints, metrics.jsonl, summary.json, report.html
CACHE=${CACHE:-runs/cache}           # data set and model, shared by runs
MODEL=${MODEL:-}                     # start from this one; empty: CACHE/model, a copy of examples/evidence/model
SEED=${SEED:-0}
STEPS=${STEPS:-40}
PROMPTS=${PROMPTS:-16}               # prompts a step, 8 responses each
LEARNING_RATE=${LEARNING_RATE:-1.5e-4}   # falls to a twentieth along a cosine
TRAIN_ROWS=${TRAIN_ROWS:-12000}
VAL_ROWS=${VAL_ROWS:-720}
MINUTES=${MINUTES:-30}               # limit of the training itself
OUT=$(realpath -m "$OUT") CACHE=$(realpath -m "$CACHE") START=$(realpath -m "${MODEL:-$CACHE/model}")

# Without a GPU: verl's CPU platform, no hub, no niceness for Ray's workers.
export VERL_PLATFORM=cpu VLLM_CPU_KVCACHE_SPACE=1 HF_HUB_OFFLINE=1
export TOKENIZERS_PARALLELISM=false RAY_worker_niceness=0 RAY_USAGE_STATS_ENABLED=0
# Ray's head keeps an event of each of the last 100,000 calls, 1 MiB a step, for a dashboard that is off.
export RAY_task_events_report_interval_ms=0
# A dozen processes share the cores: threads that spin in wait for each other take a quarter of a step.
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1} OMP_WAIT_POLICY=PASSIVE
# glibc keeps large buffers in place of giving them back and faulting them in anew.
export MALLOC_MMAP_MAX_=0 MALLOC_TRIM_THRESHOLD_=2000000000 MALLOC_TOP_PAD_=67108864
# A GPU, if there is one, stays out of sight (an empty value would make Ray refuse its logical GPU).
export CUDA_VISIBLE_DEVICES=-1

DATA=(
    data.train_files="$CACHE/data/train.parquet"
    data.val_files="$CACHE/data/val.parquet"
    data.train_batch_size="$PROMPTS"
    data.max_prompt_length=256
    data.max_response_length=96
    data.seed="$SEED"
)
ACTOR=(
    actor_rollout_ref.model.path="$START"
    actor_rollout_ref.actor.optim.lr="$LEARNING_RATE"
    actor_rollout_ref.actor.optim.lr_scheduler_type=cosine
    actor_rollout_ref.actor.optim.min_lr_ratio=0.05
    actor_rollout_ref.actor.ppo_mini_batch_size="$((PROMPTS / 2))"
)
ROLLOUT=(
    actor_rollout_ref.rollout.n=8
    actor_rollout_ref.rollout.seed="$SEED"
    actor_rollout_ref.rollout.val_kwargs.temperature=0
)
TRAINER=(
    trainer.total_training_steps="$STEPS"
    trainer.total_epochs=1000
    trainer.test_freq="$STEPS"
    trainer.save_freq=10
    trainer.max_actor_ckpt_to_keep=2
    trainer.default_local_dir="$OUT/checkpoints"
    trainer.validation_data_dir="$OUT/validation"
    trainer.experiment_name=quickstart
    trainer.logger=[]
    verl_ext.run_dir="$OUT"
)
if [ -f "$OUT/validation/0.jsonl" ]; then TRAINER+=(trainer.val_before_train=false); fi

bash examples/install.sh
PYTHON="$VENV/bin/python"
"$PYTHON" -m data_prep prepare offline --out "$CACHE/data" --train "$TRAIN_ROWS" --val "$VAL_ROWS" --seed 0
if [ -z "$MODEL" ] && [ ! -e "$CACHE/model" ]; then cp -rT examples/evidence/model "$CACHE/model.part"; mv "$CACHE/model.part" "$CACHE/model"; fi

if [ -f "$OUT/validation/$STEPS.jsonl" ]; then
    echo "$OUT has its $STEPS steps already; name another folder (OUT=…) to train again"
else
    "$PYTHON" -m verl_ext.supervise --run "$OUT" --steps "$STEPS" --minutes "$MINUTES" -- \
        "$PYTHON" -m verl_ext.main_ppo +machine=cpu +recipe=quickstart algorithm.adv_estimator=g2rpo \
        "${DATA[@]}" "${ACTOR[@]}" "${ROLLOUT[@]}" "${TRAINER[@]}" "$@"
fi
"$PYTHON" -m verl_ext.report "$OUT"
"$PYTHON" -m verl_ext.summary "$OUT"
echo "metrics: $OUT/metrics.jsonl   report: $OUT/report.html"
