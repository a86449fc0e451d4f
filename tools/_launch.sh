# shellcheck shell=bash disable=SC2154 # tools: set by the launchers
# Sourced by dist_train.sh and dist_test.sh. torchrun PROCESSES SCRIPT ARGS... starts one
# process per GPU on each of NNODES machines; this machine is number NODE_RANK.

torchrun() {
    local processes=$1 rendezvous cores
    shift
    if [ "${NNODES:-1}" = 1 ] && [ -z "${PORT:-}" ]; then
        # One machine: torchrun picks a free port, so several runs can share a machine.
        rendezvous=(--rdzv-backend=c10d --rdzv-endpoint=127.0.0.1:0 --local-addr=127.0.0.1)
    else
        rendezvous=(
            --nnodes="${NNODES:-1}" --node-rank="${NODE_RANK:-0}"
            --master-addr="${MASTER_ADDR:-127.0.0.1}" --master-port="${PORT:-29500}"
        )
    fi
    if [ -z "${OMP_NUM_THREADS:-}" ]; then # divide the cores among the processes
        cores=$(nproc 2>/dev/null || getconf _NPROCESSORS_ONLN)
        export OMP_NUM_THREADS=$((cores > processes ? cores / processes : 1))
    fi
    export MKL_NUM_THREADS=${MKL_NUM_THREADS:-$OMP_NUM_THREADS}
    exec "${PYTHON:-python}" "$tools/_launch.py" \
        "${rendezvous[@]}" --nproc-per-node="$processes" "$@"
}
