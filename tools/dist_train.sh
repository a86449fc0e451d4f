#!/usr/bin/env bash
# Trains with one process per GPU, or with that many CPU processes where there is no GPU.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_cifar10.py 8
#   NNODES=2 NODE_RANK=0 MASTER_ADDR=10.0.0.1 bash tools/dist_train.sh CONFIG 8
#
# Further arguments go to train.py. PYTHON names the interpreter (default: python). The
# config and the data folders are checked before any process is started.
set -euo pipefail
if [ $# -lt 2 ] || ! [[ $2 =~ ^[1-9][0-9]*$ ]]; then
    echo "usage: bash $0 CONFIG GPUS [arguments of train.py]; got: $*" >&2
    exit 2
fi
config=$1
gpus=$2
tools=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
# shellcheck source=tools/_launch.sh
source "$tools/_launch.sh"
torchrun "$gpus" "$tools/train.py" "$config" --launcher pytorch "${@:3}"
