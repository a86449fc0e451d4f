#!/usr/bin/env bash
# Tests a checkpoint with one process per GPU, or with that many CPU processes.
#
#   bash tools/dist_test.sh configs/benchmarks/linear/deit-tiny_cifar10.py \
#       work_dirs/linear/epoch_90.pth 8
#
# Further arguments go to test.py. It reads the same variables as dist_train.sh.
set -euo pipefail
if [ $# -lt 3 ] || ! [[ $3 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: bash $0 CONFIG CHECKPOINT GPUS [arguments of test.py]; got: $*" >&2
    exit 2
fi
config=$1
checkpoint=$2
gpus=$3
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/_launch.sh
source "$tools/_launch.sh"
torchrun "$gpus" "$tools/test.py" "$config" "$checkpoint" --launcher pytorch "${@:4}"
