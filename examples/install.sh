#!/usr/bin/env bash
# Makes an environment (VENV) and installs verl_ext with verl, vLLM and torch in it: for GPUs where nvidia-smi answers,
# else the CPU builds. Does nothing where that is done already. EXTRA=gpu|cpu forces the kind; PYTHON names the interpreter.
# The folder is .venv, or .venv-cpu: see venv.sh.
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/venv.sh

find_python() {
    for candidate in ${PYTHON:-python3.11 python3.12 python3 python}; do
        if "$candidate" -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 12))' 2>/dev/null; then
            echo "$candidate" && return
        fi
    done
    echo "install: Python 3.11 or 3.12 is needed (apt-get install python3 python3-venv), or name one: PYTHON=…" >&2
    exit 1
}

INPUTS="$EXTRA $(cat setup.py examples/cpu-overrides.txt | sha256sum | cut -d' ' -f1) $(pwd)"
if [ "$(cat "$VENV/.verl_ext" 2>/dev/null)" = "$INPUTS" ]; then
    exit 0
fi
KIND=$(cut -d' ' -f1 "$VENV/.verl_ext" 2>/dev/null || true)
if [ -n "$KIND" ] && [ "$KIND" != "$EXTRA" ]; then
    echo "install: $VENV holds the $KIND builds, and one environment cannot hold both kinds: name another folder" \
        "(VENV=.venv-$EXTRA), or delete that one" >&2
    exit 1
fi

echo "install: $EXTRA environment into $VENV (about 7 GB, a few minutes)"
if [ ! -x "$VENV/bin/python" ]; then
    python=$(find_python) || exit 1
    "$python" -m venv "$VENV" || {
        echo "install: could not make a virtual environment (Debian, Ubuntu: apt-get install python3-venv)" >&2
        exit 1
    }
fi
echo "$EXTRA" > "$VENV/.verl_ext"  # its kind, if this is interrupted
"$VENV/bin/python" -m pip install --quiet --disable-pip-version-check 'uv>=0.5'
if [ -n "${PIP_INDEX_URL:-}" ]; then export UV_INDEX_URL=${UV_INDEX_URL:-$PIP_INDEX_URL}; fi
OVERRIDES=()
if [ "$EXTRA" = cpu ]; then OVERRIDES=(--override examples/cpu-overrides.txt); fi
# Compiled here, once: a run starts ten processes, and where Python may not write bytecode (PYTHONDONTWRITEBYTECODE) each
# would compile torch, transformers and vLLM anew, which doubles the start.
"$VENV/bin/uv" pip install --compile-bytecode --python "$VENV/bin/python" "${OVERRIDES[@]}" -e ".[$EXTRA,dev]"
echo "$INPUTS" > "$VENV/.verl_ext"
