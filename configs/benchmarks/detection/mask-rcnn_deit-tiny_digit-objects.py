# Demo: detection and instance masks of digits (400 training and 100 test scenes of two digits,
# 64x32, 10 classes) with Mask R-CNN, narrowed, on the narrow DeiT (48-d, patch 4) of
# selfsup/bootmae_deit-tiny_digits.py; 12 epochs. Needs the extra `det` and the compiled operators
# of mmcv (docs/scaling.md#detection).
#
#   python tools/prepare_data.py digit-objects
#   python tools/train.py configs/benchmarks/detection/mask-rcnn_deit-tiny_digit-objects.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost: 10 minutes on one core (operators compiled without optimization), float32.
# Result: measured on 2026-11-28 (this command, epoch_30.pth), one seed, on the 100 test scenes: box
# AP50 25 %, mask AP50 24 % (AP 9 and 10). A demo of the parts, far from converged.
_base_ = [
    '../../_base_/models/mask-rcnn_vit-base-p16.py',
    '../../_base_/datasets/coco.py',
    '../../_base_/schedules/detect_1x.py',
    '../../_base_/detection_runtime.py',
]
data_root = 'data/digit-objects'
# The images have one size, and digits are not mirrored.
load = [
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations', with_bbox=True, with_mask=True),
    dict(type='Resize', scale=(64, 32), keep_ratio=True),
    dict(
        type='PackDetInputs',
        meta_keys=('img_id', 'img_path', 'ori_shape', 'img_shape', 'scale_factor'),
    ),
]
metainfo = dict(classes=tuple('0123456789'))
embed_dims = 48
channels = 64
norm_cfg = dict(type='BN', requires_grad=True)
strides = [2, 4, 8, 16, 32]

roi_head = dict(
    bbox_roi_extractor=dict(
        out_channels=channels, featmap_strides=strides[:4], finest_scale=14
    ),
    bbox_head=dict(in_channels=channels, fc_out_channels=256, num_classes=10),
    mask_roi_extractor=dict(
        out_channels=channels, featmap_strides=strides[:4], finest_scale=14
    ),
    mask_head=dict(
        num_convs=2, in_channels=channels, conv_out_channels=channels, num_classes=10
    ),
)
model = dict(
    data_preprocessor=dict(mean=[77.0] * 3, std=[88.0] * 3),
    backbone=dict(
        type='mmpretrain.MaskedDeiT',
        arch=dict(_delete_=True, embed_dims=embed_dims, num_layers=12, num_heads=3),
        img_size=32,
        patch_size=4,
        drop_path_rate=0.0,
    ),
    neck=[
        # A patch has only 4 pixels: half the usual scales.
        dict(
            type='mmseg.Feature2Pyramid',
            embed_dim=embed_dims,
            rescales=[2, 1, 0.5, 0.25],
            norm_cfg=norm_cfg,
        ),
        dict(
            type='FPN',
            in_channels=[embed_dims] * 4,
            out_channels=channels,
            num_outs=5,
            norm_cfg=norm_cfg,  # without it, the 1,200 steps end at an AP of 0
        ),
    ],
    rpn_head=dict(
        in_channels=channels,
        feat_channels=channels,
        anchor_generator=dict(strides=strides),
    ),
    roi_head=roi_head,
    train_cfg=dict(
        rpn=dict(sampler=dict(num=64)),
        rpn_proposal=dict(nms_pre=200, max_per_img=100),
        rcnn=dict(sampler=dict(num=64)),
    ),
    test_cfg=dict(rpn=dict(nms_pre=200, max_per_img=100), rcnn=dict(max_per_img=10)),
)
train_dataloader = dict(
    batch_size=4,
    dataset=dict(
        data_root=data_root,
        ann_file='instances_train.json',
        data_prefix=dict(img='train/'),
        filter_cfg=dict(min_size=16),
        metainfo=metainfo,
        pipeline=load,
    ),
)
test_set = dict(
    dataset=dict(
        data_root=data_root,
        ann_file='instances_test.json',
        data_prefix=dict(img='test/'),
        metainfo=metainfo,
        pipeline=load,
    )
)
val_dataloader = test_set
test_dataloader = test_set
evaluator = dict(ann_file=f'{data_root}/instances_test.json')
val_evaluator = evaluator
test_evaluator = evaluator
# The rate is for a batch of 16: 2e-4 for 4.
optim_wrapper = dict(optimizer=dict(lr=8e-4), paramwise_cfg=dict(layer_decay_rate=0.9))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=50),
    dict(type='MultiStepLR', by_epoch=True, end=12, milestones=[8, 11], gamma=0.1),
]
train_cfg = dict(val_interval=4)
