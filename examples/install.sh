#!/usr/bin/env bash
# Makes ${VENV:-.venv} and installs verl_ext with verl, vLLM and torch in it: for GPUs where nvidia-smi answers, else the
# CPU builds. Does nothing where that is done already. EXTRA=gpu|cpu forces the kind; PYTHON names the interpreter.
set -euo pipefail
cd "$(dirname "$0")/.."
VENV=${VENV:-.venv}

find_python() {
    for candidate in ${PYTHON:-python3.11 python3.12 python3 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$candidate" && return
        fi
    done
    echo "install: Python 3.11 or 3.12 is needed (apt-get install python3 python3-venv), or name one: PYTHON=…" >&2
    exit 1
}

if [ -z "${EXTRA:-}" ]; then
    EXTRA=cpu
    if nvidia-smi >/dev/null 2>&1; then EXTRA=gpu; fi
fi
INPUTS="$EXTRA $(cat setup.py examples/cpu-overrides.txt | sha256sum | cut -d' ' -f1) $(pwd)"
if [ "$(cat "$VENV/.verl_ext" 2>/dev/null)" = "$INPUTS" ]; then
    exit 0
fi

echo "install: $EXTRA environment into $VENV (about 7 GB, a few minutes)"
if [ ! -x "$VENV/bin/python" ]; then
    "$(find_python)" -m venv "$VENV" || {
        echo "install: could not make a virtual environment (Debian, Ubuntu: apt-get install python3-venv)" >&2
        exit 1
    }
fi
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_INDEX_URL=${UV_INDEX_URL:-$PIP_INDEX_URL}; fi
OVERRIDES=()
if [ "$EXTRA" = cpu ]; then OVERRIDES=(--override examples/cpu-overrides.txt); fi
# Compiled here, once: a run starts ten processes, and where Python may not write bytecode (PYTHONDONTWRITEBYTECODE) each
# would compile torch, transformers and vLLM anew, which doubles the start.
"$VENV/bin/uv" pip install --compile-bytecode --python "$VENV/bin/python" "${OVERRIDES[@]}" -e ".[$EXTRA,dev]"
echo "$INPUTS" > "$VENV/.verl_ext"
