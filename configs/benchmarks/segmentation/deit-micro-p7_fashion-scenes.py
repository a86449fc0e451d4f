# Segmentation of cluttered scenes of Fashion-MNIST's garments (56x56, 11 classes; 200 training,
# 100 test scenes) with UPerNet on the micro DeiT (64-d, 6 blocks, patch 7) of
# selfsup/bootmae-views_deit-micro-p7_fashion-mnist-12k.py.
#
#   python tools/prepare_data.py fashion-scenes
#   python tools/train.py configs/benchmarks/segmentation/deit-micro-p7_fashion-scenes.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost: about a minute of CPU time without bfloat16.
# Result: mIoU on the test scenes, from stage_3.pth of the pretraining / random weights: 15.0 /
# 12.1 after 30 epochs; measured on 2026-11-25 in float32 (this command), one seed. Both are far
# from converged.
# From random weights: deit-micro-p7_fashion-scenes_random.py
_base_ = [
    '../../_base_/models/upernet_deit-tiny.py',
    '../../_base_/datasets/fashion-scenes.py',
    '../../_base_/schedules/segment_50e.py',
    '../../_base_/segmentation_runtime.py',
]
embed_dims = 64
channels = 32  # of the heads

model = dict(
    # MMSegInferencer looks for it here.
    data_preprocessor={{_base_.data_preprocessor}},
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=embed_dims, num_layers=6, num_heads=4),
        img_size=28,
        patch_size=7,
        out_indices=(1, 2, 3, 5),
        drop_path_rate=0.0,
    ),
    neck=dict(embed_dim=embed_dims),
    decode_head=dict(in_channels=[embed_dims] * 4, channels=channels),
    auxiliary_head=dict(in_channels=embed_dims, channels=channels),
    # Windows as large as the training crops, for the same position embedding.
    test_cfg=dict(mode='slide', crop_size={{_base_.crop_size}}, stride=(14, 14)),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
train_cfg = dict(max_epochs=30, val_interval=10)
default_hooks = dict(checkpoint=dict(interval=10))
auto_scale_lr = dict(base_batch_size=32)
