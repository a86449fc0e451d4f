# BootMAE's linear probe of its ViT-B/16 on ImageNet-1K: mean of the patch tokens of block
# 9, batch norm without affine, LARS, batch 16384, 90 epochs. The paper: 66.1 % top-1. Not
# trained here. The block: model.backbone.out_indices=8 (counted from 0).
#
#   bash tools/dist_train.sh configs/benchmarks/linear/bootmae_vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
_base_ = [
    '../../_base_/models/classifier_vit-base-p16.py',
    '../../_base_/datasets/imagenet_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
model = dict(
    backbone=dict(out_indices=8, frozen_stages=12, final_norm=True, drop_path_rate=0.0),
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
