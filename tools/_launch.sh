# shellcheck shell=bash disable=SC2154 # tools: set by the launchers
# Sourced by the launchers: torchrun PROCESSES SCRIPT ARGS... (a process a GPU), on
# NNODES machines, of which this is number NODE_RANK.

torchrun() {
    local processes=$1 rendezvous cores
    shift
    if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
        # One machine: a free port, so that several runs live side by side.
        rendezvous=(--rdzv-backend=c10d --rdzv-endpoint=127.0.0.1:0 --local-addr=127.0.0.1)
    else
        rendezvous=(
            --nnodes="${NNODES:-1}" --node-rank="${NODE_RANK:-0}"
            --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="${PORT:-29500}"
        )
    fi
    if [ -z "${OMP_NUM_THREADS:-}" ]; then # the cores, shared among the processes
        cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
        export OMP_NUM_THREADS=$((cores > processes ? cores / processes : 1))
    fi
    export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}
    exec "${PYTHON:-python}" "$tools/_launch.py" \
        "${rendezvous[@]}" --nproc-per-node="$processes" "$@"
}
