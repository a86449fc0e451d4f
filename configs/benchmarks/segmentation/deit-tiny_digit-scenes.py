# Segmentation demo: scenes of digits (400 / 100, 64x32), a label for every pixel; UPerNet
# on the 48-d DeiT that selfsup/bootmae_deit-tiny_digits pretrains.
#
#   python tools/prepare_data.py digit-scenes
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_digit-scenes.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# From random weights: deit-tiny_digit-scenes_random.py
_base_ = [
    '../../_base_/models/upernet_deit-tiny.py',
    '../../_base_/datasets/digit-scenes.py',
    '../../_base_/schedules/segment_50e.py',
    '../../_base_/segmentation_runtime.py',
]
model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3),
        img_size=32,
        patch_size=4,
        drop_path_rate=0.0,
    ),
    neck=dict(embed_dim=48),
    decode_head=dict(in_channels=[48] * 4, channels=24),
    auxiliary_head=dict(in_channels=48, channels=24),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3), paramwise_cfg=dict(layer_decay_rate=0.9))
train_cfg = dict(max_epochs=12, val_interval=12)
