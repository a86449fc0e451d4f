# Linear evaluation of BootMAE's ViT-B/16 on ImageNet-1K with the paper's recipe (Dong et al.,
# ECCV 2022): mean of the patch tokens of block 9, batch norm without affine, LARS, batch
# 16384, 90 epochs.
#
#   bash tools/dist_train.sh configs/benchmarks/linear/bootmae-eccv_vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. The paper: 66.1 % top-1.
# Another block: model.backbone.out_indices=8 (counted from 0).
_base_ = [
    '../../_base_/models/classifier_vit-base-p16.py',
    '../../_base_/datasets/imagenet_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(
        img_size={{_base_.img_size}},
        out_indices=8,
        frozen_stages=12,
        final_norm=True,
        drop_path_rate=0.0,
    ),
    neck=dict(_delete_=True, type='ClsBatchNormNeck', input_features=768),
    head=dict(
        loss=dict(_delete_=True, type='CrossEntropyLoss'),
        init_cfg=dict(std=0.01),
    ),
)
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
train_dataloader = dict(batch_size=2048)
optim_wrapper = dict(
    optimizer=dict(type='LARS', lr=0.1 * 16384 / 256)  # momentum 0.9, no weight decay
)
auto_scale_lr = dict(base_batch_size=16384)
