#!/usr/bin/env bash
# Installs, then lints and tests, in two processes of a thread each; all arguments go to
# pytest (-n 0: in this process).
#
#   bash tools/run_tests.sh
#   bash tools/run_tests.sh tests/models -x
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$root/.venv}
case $VENV in /*) ;; *) VENV=$PWD/$VENV ;; esac
export VENV
bash "$root/tools/install.sh"

cd "$root"
status=0
run() { # a lint error does not hide what the tests say
    printf '\n==%s\n' "$(printf ' %q' "$@")"
    "$VENV/bin/python" -m "$@" || status=1
}
run ruff check .
run ruff format --check .
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
run pytest -n 2 --dist loadfile "$@"
exit $status
