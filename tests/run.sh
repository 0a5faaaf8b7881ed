#!/usr/bin/env bash
# Makes the environment if needed, runs the fast suite, then the real pipeline end to end (a quarter of an hour without a
# GPU). `FAST=1` leaves the second part out; further arguments go to pytest. Not run: `pytest -m smoke`, every launch
# script for two steps (an hour).
set -euo pipefail
cd "$(dirname "$0")/.."
source examples/venv.sh
bash examples/install.sh
"$VENV/bin/python" -m pytest -n "${JOBS:-2}" --dist loadfile "$@"
if [ -z "${FAST:-}" ]; then
    "$VENV/bin/python" -m pytest -m e2e "$@"
fi
