#!/usr/bin/env bash
# Trains under Slurm, one task a GPU.
#
#   GPUS=16 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS='--time=24:00:00 --signal=USR1@120' \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
#
# On SIGUSR1 (as above: 120 s before the time is up) and SIGTERM (preemption) the run
# saves and leaves with status 75. Then it is put back into the queue and goes on from
# there: within a batch job with scontrol requeue, else by another srun. To end it for
# good, press Ctrl-C, or scancel --signal=INT JOB: it saves, and is not requeued.
set -euo pipefail
if [ $# -lt 4 ]; then
    echo "usage: bash $0 PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]; got: $*" >&2
    exit 2
fi
command -v srun >/dev/null || {
    echo "error: srun was not found: start this where Slurm runs, or use dist_train.sh" >&2
    exit 1
}
gpus=${GPUS:-8}
per_node=${GPUS_PER_NODE:-$((gpus < 8 ? gpus : 8))}
read -r -a srun_args <<<"${SRUN_ARGS:-}"
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
resume=()
[ "${SLURM_RESTART_COUNT:-0}" -eq 0 ] || resume=(--resume) # a batch job put back

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
        echo "$0: saved; putting job $SLURM_JOB_ID back into the queue" >&2
        scontrol requeue "$SLURM_JOB_ID"
        exit 75
    fi
    echo "$0: saved; starting again, to go on from there" >&2
    resume=(--resume)
done
