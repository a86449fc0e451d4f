# Segmentation demo: 400 / 100 scenes of two digits (64x32), a label for every pixel; UPerNet on
# the 48-d DeiT that selfsup/bootmae_deit-tiny_digits pretrains.
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
    # A patch is 4 pixels already: half the usual resolutions.
    neck=dict(embed_dim=48, rescales=[2, 1, 0.5, 0.25]),
    decode_head=dict(in_channels=[48] * 4, channels=32),
    auxiliary_head=dict(in_channels=48, channels=32),
)
train_dataloader = dict(batch_size=16)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=16, val_interval=16)
auto_scale_lr = dict(base_batch_size=16)
