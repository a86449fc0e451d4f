#!/usr/bin/env bash
# From a fresh clone to a pretrained encoder and what it is worth, on bundled real images:
# installs into .venv, then pretrains, evaluates linearly and finetunes on the digits.
#
#   bash tools/quickstart.sh                 # PYTHON=python3.12 for another interpreter
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/install.sh
python="${VENV:-.venv}/bin/python"
out=work_dirs/quickstart
pretrain=configs/selfsup/bootmae_deit-tiny_digits.py
checkpoint=$out/pretrain/stage_2.pth

say() { printf '\n== %s\n' "$*"; }
# A run that is complete is left alone; one that was interrupted goes on.
train() { # NAME CONFIG [ARGS]
    local name=$1 config=$2
    shift 2
    if [ -f "$out/$name/.done" ]; then
        echo "already done: $out/$name (delete the folder to repeat it)"
        return
    fi
    "$python" tools/train.py "$config" --work-dir "$out/$name" --resume "$@"
    touch "$out/$name/.done"
}

say "1/5 pretraining in 2 stages: pixels, then the features of the stage-1 encoder"
train pretrain "$pretrain"
for protocol in linear finetune; do
    config=configs/benchmarks/$protocol/deit-tiny_digits.py
    say "$protocol: pretrained encoder"
    train "${protocol}_boot" "$config" \
        --cfg-options model.backbone.init_cfg.checkpoint=$checkpoint
    say "$protocol: random encoder"
    train "${protocol}_random" "$config" --cfg-options model.backbone.init_cfg=None
done
say "results"
"$python" tools/quickstart_report.py "$out"
