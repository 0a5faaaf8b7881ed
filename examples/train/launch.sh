# Sourced by the launch scripts: `launch OVERRIDE…` starts verl_ext.main_ppo with them.
#   DRY_RUN=1   prints the final command instead
#   DOCTOR=1    checks environment, data, model and configuration of that run instead (verl_ext.doctor)
#   SMOKE=1     two steps without a GPU: a tiny model and data set in place of the script's, smallest sizes, CPU engine;
#               group filtering is off, since that model is always wrong
# Uses EXTRA, VENV, CACHE and MINUTES as the quickstart does; PYTHON_BIN names the interpreter of a GPU run (default: python).

launch() {
    local module=verl_ext.main_ppo
    if [ -n "${DOCTOR:-}" ]; then module=verl_ext.doctor; fi
    local command=("${PYTHON_BIN:-python}" -m "$module" "$@")
    if [ -n "${SMOKE:-}" ]; then
        export EXTRA=${EXTRA:-cpu}
        source examples/venv.sh
        export VERL_PLATFORM=cpu VLLM_CPU_KVCACHE_SPACE=1 OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
        export OMP_WAIT_POLICY=PASSIVE
        export HF_HUB_OFFLINE=1 TOKENIZERS_PARALLELISM=false RAY_worker_niceness=0 RAY_USAGE_STATS_ENABLED=0
        export CUDA_VISIBLE_DEVICES=-1
        local cache=${CACHE:-runs/cache}/smoke smoke
        [ -n "${DRY_RUN:-}" ] || bash examples/install.sh
        local python=$VENV/bin/python
        mapfile -t smoke < <("$python" examples/train/smoke_overrides.py "$cache")
        [ "${#smoke[@]}" -gt 0 ] || { echo "launch: no overrides for SMOKE=1" >&2; return 1; }
        command=("$python" -m "$module" "$@" "${smoke[@]}")
    fi
    if [ -n "${DRY_RUN:-}" ]; then
        printf '%q ' "${command[@]}"
        echo
        return
    fi
    if [ -n "${SMOKE:-}" ]; then
        "$python" -m data_prep prepare offline --out "$cache/data" --train 480 --val 24
        "$python" -m verl_ext.tiny_model --data "$cache/data" --out "$cache/model" --steps 40
        if [ -z "${DOCTOR:-}" ]; then
            local limits=(--steps 2 --minutes "${MINUTES:-15}")
            command=("$python" -m verl_ext.supervise --run "$cache/run" "${limits[@]}" -- "${command[@]}")
        fi
    fi
    "${command[@]}"
}
