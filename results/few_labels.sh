#!/usr/bin/env bash
# What an encoder of your own photos is worth with few labels: frozen and finetuned, beside raw
# pixels, an untrained encoder, and the same finetuning from random weights. CIFAR-10 (folders of
# classes in data/cifar10) takes the place of the photos; nothing is chosen on its test images.
#
#   bootmae pretrain data/cifar10/train --out work_dirs/few/encoder --size 32 --arch deit-micro \
#       --hours 1
#   bash results/few_labels.sh 10 100
#   EPOCHS=12 bash results/few_labels.sh 1000     # the finetuning; default: 100 epochs or more
#
# Writes results/few_labels.csv. Trainings are in work_dirs/few; delete the folder of one to repeat it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
csv=results/few_labels.csv runs=work_dirs/few
last() { ls -v "$1"/epoch_*.pth | tail -n 1; }

for labels in "$@"; do
    few=(data/cifar10 --labels-per-class "$labels")
    probe=$runs/probe-$labels ours=$runs/pretrained-$labels random=$runs/random-$labels
    bootmae probe "$runs/encoder" "${few[@]}" --out "$probe"
    frozen=("$probe/config.py" "$(last $runs/encoder)" --pool avg flatten64)
    python tools/linear_probe.py "${frozen[@]}" --controls --csv "$csv"
    python tools/knn.py "${frozen[@]}" --controls --csv "$csv"
    bootmae finetune "$runs/encoder" "${few[@]}" --out "$ours" ${EPOCHS:+--epochs "$EPOCHS"}
    bootmae train "$ours/config.py" --work-dir "$random" \
        --cfg-options model.backbone.init_cfg=None
    for run in "$ours" "$random"; do
        bootmae test "$ours/config.py" "$(last "$run")" --csv "$csv"
    done
done
