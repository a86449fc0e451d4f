#!/usr/bin/env bash
# Installs into .venv, pretrains on the bundled 10,000 training images of Fashion-MNIST, and
# evaluates the encoder against a random one with few labels: k-NN, linear evaluation,
# finetuning.
#
#   bash tools/quickstart.sh                 # PYTHON=python3.12 for another interpreter
#   SEED=1 bash tools/quickstart.sh          # into work_dirs/quickstart_seed1
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

bash tools/install.sh
python="${VENV:-.venv}/bin/python"
seed=${SEED:-0}
out=work_dirs/quickstart
[ "$seed" = 0 ] || out+=_seed$seed
data=fashion-mnist-12k
encoder=deit-micro-p7
checkpoint=$out/pretrain/stage_3.pth

say() { printf '\n== %s\n' "$*"; }
# Skips a complete run and resumes an interrupted one.
train() { # NAME CONFIG [CFG_OPTIONS]
    local name=$1 config=$2
    shift 2
    if [ -f "$out/$name/.done" ]; then
        echo "already done: $out/$name (delete the folder to repeat it)"
        return
    fi
    "$python" tools/train.py "configs/$config.py" --work-dir "$out/$name" --resume \
        --cfg-options "randomness.seed=$seed" "$@"
    touch "$out/$name/.done"
}
# Both encoders.
compare() { # NAME CONFIG [CFG_OPTIONS]
    local name=$1 config=$2
    shift 2
    say "$name: pretrained encoder"
    train "${name}_pretrained" "$config" \
        "model.backbone.init_cfg.checkpoint=$checkpoint" "$@"
    say "$name: random encoder"
    train "${name}_random" "${config}_random" "$@"
}

say "pretraining in 3 stages: pixels, then also the feature of another view by the stage before"
train pretrain selfsup/bootmae-views_${encoder}_$data

for labels in 10 100; do
    for tool in knn linear_probe; do
        for start in "$checkpoint" random; do
            name=$([ "$start" = random ] && echo random || echo pretrained)
            say "$tool with $labels labels per class: $name encoder"
            "$python" tools/$tool.py configs/benchmarks/linear/${encoder}_$data.py "$start" \
                --labels-per-class $labels --cache $out/features \
                --out $out/${tool}_${labels}_$name.json --cfg-options randomness.seed=$seed
        done
    done
done
config=benchmarks/finetune/${encoder}_$data
compare finetune_10 $config
compare finetune_100 $config labels_per_class=100 train_cfg.max_epochs=12

say "results"
"$python" tools/quickstart_report.py "$out"
