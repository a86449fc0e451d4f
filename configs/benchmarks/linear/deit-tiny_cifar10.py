# Linear evaluation: frozen encoder, 64 patch tokens flattened, CIFAR-10.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_cifar10/epoch_200.pth
#
# From random weights: deit-tiny_cifar10_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/cifar10_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        frozen_stages=12,
        out_type='flatten64',
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=64 * 192),
    head=dict(in_channels=64 * 192, init_cfg=dict(std=0.01)),
)
