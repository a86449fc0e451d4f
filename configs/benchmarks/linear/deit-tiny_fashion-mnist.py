# Linear evaluation: frozen encoder, 64 patch tokens flattened, Fashion-MNIST.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_fashion-mnist.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_fashion-mnist/epoch_200.pth
#
# From random weights: deit-tiny_fashion-mnist_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/fashion-mnist_classify.py',
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
