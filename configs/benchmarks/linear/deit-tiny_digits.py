# Linear evaluation: frozen encoder, 64 patch tokens flattened, the digits (demo).
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_digits.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_digits/epoch_30.pth
#
# From random weights: model.backbone.init_cfg=None
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/digits_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3),
        frozen_stages=12,
        out_type='flatten64',
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=64 * 48),
    head=dict(in_channels=64 * 48, init_cfg=dict(std=0.01)),
)
