#!/usr/bin/env bash
# Trains under Slurm, with one task per GPU.
#
#   GPUS=16 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS='--time=24:00:00 --signal=USR1@120' \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
#
# On SIGUSR1 (as above: 120 s before the time limit) and on SIGTERM (preemption) the run
# saves and exits with status 75. This script then queues it again, and it resumes: inside
# a batch job with scontrol requeue, otherwise with another srun. Ctrl-C, or scancel
# --signal=INT JOB, ends it for good: it saves and is not queued again.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: bash $0 PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]; got: $*" >&2
    exit 2
fi
command -v srun >/dev/null || {
    echo "error: srun was not found: run this on a machine with Slurm, or use dist_train.sh" >&2
    exit 1
}
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -r -a srun_args <<<"${SRUN_ARGS:-}"
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
resume=()
[ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || resume=(--resume) # a requeued batch job

while true; do
    status=0
    srun -p "$1" \
        --job-name="$2" \
        --gres="gpu:$per_node" \
        --ntasks="$gpus" \
        --ntasks-per-node="$per_node" \
        --cpus-per-task="${CPUS_PER_TASK:-5}" \
        --kill-on-bad-exit=1 \
        ${srun_args[@]+"${srun_args[@]}"} \
        "${PYTHON:-python}" -u "$tools/train.py" "$3" --work-dir "$4" --launcher slurm "${@:5}" \
        ${resume[@]+"${resume[@]}"} || status=$?
    [ "$status" -eq 75 ] || exit "$status"
    if [ -n "${SLURM_JOB_ID:-}" ]; then
        echo "$0: saved; requeueing job $SLURM_JOB_ID" >&2
        scontrol requeue "$SLURM_JOB_ID"
        exit 75
    fi
    echo "$0: saved; starting again with --resume" >&2
    resume=(--resume)
done
