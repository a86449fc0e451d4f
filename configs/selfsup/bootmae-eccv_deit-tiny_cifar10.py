# BootMAE (Dong et al., ECCV 2022) of the distilled DeiT-Tiny (192-d, patch 4) on CIFAR-10,
# 200 epochs: block masking, pixels and moving-average features from the first epoch. The
# decay schedule is the paper's, scaled from 800 to 200 epochs.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-eccv_deit-tiny_cifar10.py 8
#
# Cost: 2.14 GFLOP per image and step (tools/cost.py), 21 PFLOP in total.
# Result: not trained by this project; the paper has no CIFAR-10 figures.
_base_ = [
    '../_base_/models/bootmae-eccv_vit-base-p16.py',
    '../_base_/datasets/cifar10_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        type='MaskedDeiT', arch='deit-tiny', img_size={{_base_.img_size}}, patch_size=4
    ),
    masking=dict(min_area=4, max_area=20),  # of 64 patches; the paper has 196
    neck=dict(
        pixel=dict(embed_dims=192, num_heads=3),
        feature=dict(embed_dims=192, num_heads=3),
    ),
    target_generator=dict(decay=[(0, 0.999), (25, 0.9999), (100, 0.99999)]),
)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=1))
