#!/usr/bin/env bash
# Qwen2.5-VL-7B, which answers boxes in pixels of the resized image, so that it has data of its own:
#   python -m data_prep prepare onethinker --input ONETHINKER_FOLDER --split train val \
#       --convention qwen2_5_vl --out data/onethinker_qwen2_5
set -euo pipefail
export MODEL=${MODEL:-Qwen/Qwen2.5-VL-7B-Instruct} PATCH=${PATCH:-14} NAME=${NAME:-qwen2_5vl_7b_g2rpo}
export TRAIN_FILES=${TRAIN_FILES:-data/onethinker_qwen2_5/train.parquet} VAL_FILES=${VAL_FILES:-data/onethinker_qwen2_5/val.parquet}
exec bash "$(dirname "$0")/qwen3vl_8b.sh" "$@"
