#!/usr/bin/env bash
# All tests: makes the environment if needed, runs the fast suite, then the real pipeline end to end (a quarter of an hour
# without a GPU). `FAST=1` leaves the second part out; further arguments go to pytest.
set -euo pipefail
cd "$(dirname "$0")/.."
export VENV=${VENV:-.venv}
bash examples/install.sh
"$VENV/bin/python" -m pytest -n "${JOBS:-2}" --dist loadfile "$@"
if [ -z "${FAST:-}" ]; then
    "$VENV/bin/python" -m pytest -m e2e "$@"
fi
