#!/usr/bin/env bash
# From a folder of photos to predictions and an ONNX file, with the command bootmae alone:
#
#   bash examples/own_photos.sh                                # bundled digits, some minutes
#   bash examples/own_photos.sh PHOTOS LABELED NEW             # your own
#   bash examples/own_photos.sh PHOTOS LABELED NEW SCENES NEW_SCENES
#
#   PHOTOS      images, any depth, without labels: thousands of them
#   LABELED     one folder per class, or a CSV file with the columns path and label
#   NEW         photos to label
#   SCENES      img_dir/ and ann_dir/, or pairs NAME.png and NAME_mask.png
#   NEW_SCENES  photos to segment
#
# Variables: OUT (default own_photos) is the folder of all results, SIZE the side of the images
# in pixels, PRETRAIN, FINETUNE and SEGMENT the options that say how long to train.
# Needs bootmae_plugin[mm,deploy], for scenes also [seg], for the digits also [demo].
set -euo pipefail

out=${OUT:-own_photos}
if [ $# -eq 0 ]; then
    bootmae data digits --out "$out/digits"
    bootmae data digit-scenes --out "$out/scenes"
    set -- "$out/digits/train" "$out/digits/train" "$out/digits/test" \
        "$out/scenes" "$out/scenes/img_dir/test"
    : "${SIZE:=16}" "${PRETRAIN:=--arch deit-micro --epochs 20}"
    : "${FINETUNE:=--labels-per-class 20}" "${SEGMENT:=--epochs 5}"
elif [ $# -ne 3 ] && [ $# -ne 5 ]; then
    echo "usage: bash $0 [PHOTOS LABELED NEW [SCENES NEW_SCENES]]" >&2
    exit 2
fi
read -ra pretrain <<<"${PRETRAIN:---hours 2}"
read -ra finetune <<<"${FINETUNE:---val-fraction 0.2}"
read -ra segment <<<"${SEGMENT:---epochs 50}"

say() { printf '\n== %s\n' "$*"; }

say "1. an encoder, from the photos without their labels"
bootmae pretrain "$1" --out "$out/encoder" --size "${SIZE:-96}" "${pretrain[@]}"
say "2. k-NN and a linear layer on its features"
bootmae probe "$out/encoder" "$2"
say "3. a classifier"
bootmae finetune "$out/encoder" "$2" --out "$out/classifier" "${finetune[@]}"
say "4. its predictions, and the same from an ONNX file without torch"
bootmae predict "$out/classifier" "$3" --out "$out/predictions.csv" --show
bootmae export "$out/classifier" "$out/classifier.onnx"
bootmae predict "$out/classifier.onnx" "$3" --out "$out/deployed.csv"
if [ $# -eq 5 ]; then
    say "5. a segmentation, its label maps, and the same from an ONNX file"
    bootmae segment "$out/encoder" "$4" --out "$out/segmentation" "${segment[@]}"
    bootmae predict "$out/segmentation" "$5" --out "$out/maps"
    bootmae export "$out/segmentation" "$out/segmentation.onnx"
    bootmae predict "$out/segmentation.onnx" "$5" --out "$out/deployed_maps"
fi
say "a report about the runs"
bootmae report "$out/encoder" "$out/classifier" --out "$out/report.html"
