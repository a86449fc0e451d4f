# The whole of BootMAE (Dong et al. 2022) at CIFAR size: DeiT-Tiny 192-d, patch 4, 200
# epochs, block masking, both branches from the start. Epochs of the decay schedule are
# those of the paper, scaled from 800 to 200.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-eccv_deit-tiny_cifar10.py 8
_base_ = [
    '../_base_/models/bootmae-eccv_vit-base-p16.py',
    '../_base_/datasets/cifar10_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(type='MaskedDeiT', arch='deit-tiny', img_size=32, patch_size=4),
    masking=dict(min_area=4, max_area=20),  # of 64 patches instead of 196
    neck=dict(
        pixel=dict(embed_dims=192, num_heads=3),
        feature=dict(embed_dims=192, num_heads=3),
    ),
    target_generator=dict(decay=[(0, 0.999), (25, 0.9999), (100, 0.99999)]),
)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=1))
