# The encoder of tools/quickstart.sh: bootstrapped MAE with view stages (K = 3) of a micro DeiT
# (64-d, 6 blocks, patch 7) on the 10,000 bundled training images of Fashion-MNIST, 28x28.
#
#   python tools/train.py configs/selfsup/bootmae-views_deit-micro-p7_fashion-mnist-12k.py
#
# Cost: about 200 s of CPU time without bfloat16.
# Result: measured on 2026-11-25 in float32 (SEED=0 bash tools/quickstart.sh, then SEED=1,
# SEED=2), mean and standard deviation over 3 seeds, top-1 on the 2,000 held-out images,
# pretrained / random weights:
#   labels per class       10                        100
#   20-NN                  66.5 ± 0.6 / 43.2 ± 1.8   73.1 ± 0.6 / 58.6 ± 1.5
#   linear                 65.6 ± 1.0 / 49.0 ± 0.5   75.1 ± 1.4 / 66.4 ± 0.3
#   finetune               67.8 ± 0.5 / 52.8 ± 3.5   74.8 ± 0.3 / 58.7 ± 0.8
_base_ = [
    '../_base_/models/bootmae-views_deit-tiny.py',
    '../_base_/datasets/fashion-mnist-12k_selfsup.py',
    '../_base_/schedules/pretrain-muon_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=64, num_layers=6, num_heads=4),
        img_size={{_base_.img_size}},
        patch_size=7,
    ),
    masking=dict(mask_ratio=0.5),  # 8 of 16 patches
    neck=dict(pixel=dict(embed_dims=64, depth=1, num_heads=4)),
)
data_preprocessor = dict(views=2, augment=dict(scale=(0.4, 1.0)))
train_dataloader = dict(batch_size=128)
auto_scale_lr = dict(base_batch_size=128)
train_cfg = dict(max_epochs=9)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=3))
