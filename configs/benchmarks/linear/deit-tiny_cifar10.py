# Linear evaluation on CIFAR-10, 90 epochs: frozen encoder, all 64 patch tokens side by side,
# batch norm, one linear layer.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_cifar10/epoch_200.pth
#
# Cost and result: not trained at this length by this project. Public figures of this encoder
# are in selfsup/bootmae_deit-tiny_cifar10.py.
# From random weights: deit-tiny_cifar10_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/cifar10_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
img_size = 32
patch_size = 4
num_patches = (img_size // patch_size) ** 2
num_features = num_patches * 192

model = dict(
    backbone=dict(
        img_size=img_size,
        patch_size=patch_size,
        frozen_stages=12,
        out_type=f'flatten{num_patches}',
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=num_features),
    head=dict(in_channels=num_features, init_cfg=dict(std=0.01)),
)
