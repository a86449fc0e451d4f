# Full finetuning with few labels of the bundled Fashion-MNIST: the first 10 training images of
# each class, evaluated on 2,000; mean of the patch tokens, layer-wise learning-rate decay.
#
#   python tools/train.py configs/benchmarks/finetune/deit-micro-p7_fashion-mnist-12k.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# With 100 per class: --cfg-options labels_per_class=100 train_cfg.max_epochs=12
#
# Cost: a part of tools/quickstart.sh, which takes about 7 minutes on one thread of a CPU.
# Result: from stage_3.pth of bootmae-views_deit-micro-p7_fashion-mnist-12k / random weights 67.8
# ± 0.5 / 52.8 ± 3.5 % top-1 with 10 labels per class, 74.8 ± 0.3 / 58.7 ± 0.8 with 100; measured
# on 2026-11-25 in float32 (SEED=0 bash tools/quickstart.sh, then SEED=1, SEED=2), mean and
# standard deviation over 3 seeds.
# From random weights: deit-micro-p7_fashion-mnist-12k_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/fashion-mnist-12k_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
labels_per_class = 10
# The training images are sorted by class, 1,000 of each.
chosen = [1000 * c + i for c in range(10) for i in range(labels_per_class)]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=64, num_layers=6, num_heads=4),
        img_size={{_base_.img_size}},
        patch_size=7,
    ),
    head=dict(in_channels=64),
)
train_dataloader = dict(batch_size=50, dataset=dict(source=dict(indices=chosen)))
optim_wrapper = dict(
    optimizer=dict(lr=2e-2),  # for a batch of 512; 2e-3 for 50
    paramwise_cfg=dict(layer_decay_rate=0.9),
)
train_cfg = dict(max_epochs=60, val_interval=30)
default_hooks = dict(checkpoint=dict(interval=10))
