# Linear evaluation: frozen encoder, mean of the patch tokens, the digits (demo).
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
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=48),
    head=dict(in_channels=48, init_cfg=dict(std=0.01)),
)
optim_wrapper = dict(optimizer=dict(lr=0.16))  # at a batch of 512; it is 64
train_cfg = dict(max_epochs=20, val_interval=5)
