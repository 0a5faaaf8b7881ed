# Sourced, in the repository: EXTRA is the kind of environment, gpu where nvidia-smi answers, else cpu; VENV its folder,
# .venv, or .venv-cpu for the CPU builds where .venv is for GPUs: both kinds hold a package `vllm`.
GPU=; if nvidia-smi >/dev/null 2>&1; then GPU=1; fi
if [ -z "${EXTRA:-}" ]; then EXTRA=${GPU:+gpu}; EXTRA=${EXTRA:-cpu}; fi
if [ -z "${VENV:-}" ]; then
    VENV=.venv
    if [ "$EXTRA" = cpu ] && { [ -n "$GPU" ] || [ "$(head -c 3 .venv/.verl_ext 2>/dev/null)" = gpu ]; }; then
        VENV=.venv-cpu
    fi
fi
unset GPU
export EXTRA VENV
