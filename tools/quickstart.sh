#!/usr/bin/env bash
# Installs into .venv, pretrains on scikit-learn's digits, and evaluates the encoder against
# a random one: k-NN, linear evaluation, finetuning, segmentation.
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
# Skips a complete run and resumes an interrupted one.
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

say "pretraining in 2 stages: pixels, then the features of the stage-1 encoder"
train pretrain "$pretrain"
for start in "$checkpoint" random; do
    name=$([ "$start" = random ] && echo random || echo boot)
    say "k-NN: $name"
    "$python" tools/knn.py configs/benchmarks/linear/deit-tiny_digits.py "$start" \
        --pool flatten64 --cache $out/features --out $out/knn_$name.json
done

"$python" tools/prepare_data.py digit-scenes
for task in linear/deit-tiny_digits finetune/deit-tiny_digits segmentation/deit-tiny_digit-scenes; do
    name=${task%%/*}
    say "$name: pretrained encoder"
    train "${name}_boot" configs/benchmarks/$task.py \
        --cfg-options model.backbone.init_cfg.checkpoint=$checkpoint
    say "$name: random encoder"
    train "${name}_random" configs/benchmarks/${task}_random.py
done
say "segmentation: test, IoU of each class, a picture"
"$python" tools/test.py configs/benchmarks/$task.py "$out/segmentation_boot/$(cat $out/segmentation_boot/last_checkpoint)" \
    --work-dir $out/segmentation_test

say "results"
"$python" tools/quickstart_report.py "$out"
