#!/usr/bin/env bash
# Trains under Slurm, one task a GPU.
#
#   GPUS=16 GPUS_PER_NODE=8 CPUS_PER_TASK=5 SRUN_ARGS='--time=24:00:00' \
#       bash tools/slurm_train.sh PARTITION JOB_NAME CONFIG WORK_DIR [arguments of train.py]
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

exec srun -p "$1" \
    --job-name="$2" \
    --gres="gpu:$per_node" \
    --ntasks="$gpus" \
    --ntasks-per-node="$per_node" \
    --cpus-per-task="${CPUS_PER_TASK:-5}" \
    --kill-on-bad-exit=1 \
    ${srun_args[@]+"${srun_args[@]}"} \
    "${PYTHON:-python}" -u "$tools/train.py" "$3" --work-dir "$4" --launcher slurm "${@:5}"
