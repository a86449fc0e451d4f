# Linear evaluation on the bundled 12,000 images of Fashion-MNIST, 90 epochs: frozen encoder,
# mean of the patch tokens, batch norm, one linear layer.
#
#   python tools/train.py configs/benchmarks/linear/deit-micro-p7_fashion-mnist-12k.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# With few labels, from features that are extracted once (tools/knn.py takes the same arguments):
#   python tools/linear_probe.py configs/benchmarks/linear/deit-micro-p7_fashion-mnist-12k.py \
#       CHECKPOINT --labels-per-class 10
#
# Cost: a part of tools/quickstart.sh, which takes about 7 minutes on one thread of a CPU.
# Result: not trained with all labels by this project. With 10 and 100 labels per class, from
# stage_3.pth of bootmae-views_deit-micro-p7_fashion-mnist-12k / random weights: 65.6 ± 1.0 / 49.0
# ± 0.5 and 75.1 ± 1.4 / 66.4 ± 0.3 % top-1; measured on 2026-11-25 in float32 (SEED=0 bash
# tools/quickstart.sh, then SEED=1, SEED=2), mean and standard deviation over 3 seeds of the
# pretraining, each the mean of 3 draws of the labels.
# From random weights: deit-micro-p7_fashion-mnist-12k_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/fashion-mnist-12k_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=64, num_layers=6, num_heads=4),
        img_size={{_base_.img_size}},
        patch_size=7,
        frozen_stages=6,
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=64),
    head=dict(in_channels=64, init_cfg=dict(std=0.01)),
)
