#!/usr/bin/env bash
#SBATCH --job-name=verl_ext
#SBATCH --nodes=4
#SBATCH --ntasks-per-node=1
#SBATCH --gpus-per-node=8
#SBATCH --cpus-per-task=64
#SBATCH --exclusive
#SBATCH --output=slurm-%j.log
# A Ray cluster over the nodes of a SLURM job, then the paper's recipe on it: `sbatch examples/train/slurm.sh [OVERRIDE…]`
# from the repository, its environment (VENV, default .venv) on a shared file system. Outside SLURM it is
# qwen3vl_8b_nodes.sh alone.
set -euo pipefail
cd "${SLURM_SUBMIT_DIR:-$(dirname "$0")/../..}"

SCRIPT=${SCRIPT:-examples/train/qwen3vl_8b_nodes.sh}
if [ -n "${SLURM_JOB_ID:-}" ] && [ -z "${DRY_RUN:-}${SMOKE:-}${DOCTOR:-}" ]; then
    source "${VENV:-.venv}/bin/activate"
    mapfile -t HOSTS < <(scontrol show hostnames "$SLURM_JOB_NODELIST")
    export NNODES=${#HOSTS[@]} GPUS=${GPUS:-${SLURM_GPUS_ON_NODE:-8}} PORT=${PORT:-6379}
    # From SLURM 22.05 on srun does not take it from the job.
    if [ -n "${SLURM_CPUS_PER_TASK:-}" ]; then export SRUN_CPUS_PER_TASK=$SLURM_CPUS_PER_TASK; fi
    HEAD=$(srun --nodes=1 --ntasks=1 -w "${HOSTS[0]}" hostname --ip-address | awk '{print $1}')
    export RAY_ADDRESS="$HEAD:$PORT"
    trap 'srun --overlap --nodes="$NNODES" --ntasks="$NNODES" ray stop --force || true' EXIT
    srun --overlap --nodes=1 --ntasks=1 -w "${HOSTS[0]}" \
        ray start --head --node-ip-address="$HEAD" --port="$PORT" --num-gpus="$GPUS" --block &
    sleep 15
    for host in "${HOSTS[@]:1}"; do
        srun --overlap --nodes=1 --ntasks=1 -w "$host" ray start --address="$RAY_ADDRESS" --num-gpus="$GPUS" --block &
    done
    for _ in $(seq 60); do  # until every node has joined
        joined=$(python -c 'import ray; ray.init(log_to_driver=False); print(sum(n["Alive"] for n in ray.nodes()))' 2>/dev/null || echo 0)
        [ "$joined" = "$NNODES" ] && break
        sleep 5
    done
    [ "$joined" = "$NNODES" ] || { echo "slurm: $joined of $NNODES nodes joined the Ray cluster" >&2; exit 1; }
    bash "$SCRIPT" "$@"
else
    exec bash "$SCRIPT" "$@"
fi
