#!/usr/bin/env bash
# Qwen2.5-VL-7B, which answers boxes in pixels of the resized image: prepare the data with `--convention qwen2_5_vl`.
set -euo pipefail
export MODEL=${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct} PATCH=${PATCH:-14} NAME=${NAME:-qwen2_5vl_7b_g2rpo}
export TRAIN_FILES=${TRAIN_FILES:-data/onethinker_qwen2_5/train.parquet} VAL_FILES=${VAL_FILES:-data/onethinker_qwen2_5/val.parquet}
exec bash "$(dirname "$0")/qwen3vl_8b.sh" "$@"
