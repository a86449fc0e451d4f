#!/usr/bin/env bash
# What an encoder is worth with few labels: frozen and finetuned, beside raw pixels, an
# untrained encoder, and the same training from random weights. Writes results/few_labels.csv.
#
#   bash results/few_labels.sh bootmae_plugin://bootmae-views_deit-tiny-d48_cifar10 10 100
#
# The data are in data/cifar10 as folders of classes. Finished trainings are kept in
# work_dirs/few_labels; delete a folder to repeat it.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
encoder=$1 csv=results/few_labels.csv
frozen=configs/benchmarks/linear/deit-tiny-d48_cifar10.py
shift

for labels in "$@"; do
    few=(--labels-per-class "$labels" --csv "$csv")
    python tools/linear_probe.py $frozen "$encoder" --pool avg flatten64 --controls "${few[@]}"
    python tools/knn.py $frozen "$encoder" --pool avg flatten64 --controls "${few[@]}"
    runs=work_dirs/few_labels
    ours=$runs/pretrained-$labels random=$runs/random-$labels
    bootmae finetune "$encoder" data/cifar10 --out "$ours" --labels-per-class "$labels"
    bootmae train "$ours/config.py" --work-dir "$random" \
        --cfg-options model.backbone.init_cfg=None
    for run in "$ours" "$random"; do
        bootmae test "$ours/config.py" "$(ls -v "$run"/epoch_*.pth | tail -n 1)" --csv "$csv"
    done
done
