# Segmentation of Pascal VOC 2012 aug (512x512 crops, 21 classes) with BootMAE's ViT-B/16 and
# UPerNet: 40,000 iterations, batch 16, otherwise the recipe of
# bootmae-eccv_vit-base-p16_ade20k.py.
#
#   bash tools/dist_train.sh configs/benchmarks/segmentation/bootmae-eccv_vit-base-p16_voc12aug.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project; the paper has no figure.
_base_ = [
    '../../_base_/models/upernet_vit-base-p16.py',
    '../../_base_/datasets/voc12aug.py',
    '../../_base_/schedules/segment_160k.py',
    '../../_base_/segmentation_runtime.py',
]
num_classes = 21
max_iters = 40_000
warmup_iters = 1_500

model = dict(
    decode_head=dict(num_classes=num_classes),
    auxiliary_head=dict(num_classes=num_classes),
    test_cfg=dict(crop_size={{_base_.crop_size}}),
)
# As in the pretraining, selfsup/bootmae-eccv_vit-base-p16_in1k.py.
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters),
]
train_cfg = dict(max_iters=max_iters, val_interval=4_000)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=4_000),
)
log_processor = dict(by_epoch=False)
