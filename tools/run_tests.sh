#!/usr/bin/env bash
# Install, lint, and test in two processes with one thread each. All arguments go to
# pytest (-n 0: test in one process).
#
#   bash tools/run_tests.sh
#   bash tools/run_tests.sh tests/models -x
#   PYTHON=python3.12 VENV=.venv312 bash tools/run_tests.sh     # another Python
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
VENV=${VENV:-$root/.venv}
case $VENV in /*) ;; *) VENV=$PWD/$VENV ;; esac
export VENV
bash "$root/tools/install.sh"

cd "$root"
status=0
run() { # the tests run after a lint error, too
    printf '\n==%s\n' "$(printf ' %q' "$@")"
    "$VENV/bin/python" -m "$@" || status=1
}
run ruff check .
run ruff format --check .
export OMP_NUM_THREADS=${OMP_NUM_THREADS:-1}
unset PYTHONDONTWRITEBYTECODE # images of Docker set it: each process would compile anew
# In the order of the folders: by number of tests, the longest files would come last.
run pytest -n 2 --dist loadfile --no-loadscope-reorder "$@"
exit $status
