# Segmentation transfer: Pascal VOC 2012 aug at 512, UPerNet on ViT-B/16, 40,000
# iterations at a batch of 16. Not trained here.
#
#   bash tools/dist_train.sh configs/benchmarks/segmentation/bootmae_vit-base-p16_voc12aug.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
_base_ = [
    '../../_base_/models/upernet_vit-base-p16.py',
    '../../_base_/datasets/voc12aug.py',
    '../../_base_/schedules/segment_160k.py',
    '../../_base_/segmentation_runtime.py',
]
model = dict(decode_head=dict(num_classes=21), auxiliary_head=dict(num_classes=21))
# What the encoder was pretrained with (selfsup/bootmae_vit-base-p16_in1k).
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=1500, end=40_000),
]
train_cfg = dict(max_iters=40_000, val_interval=4_000)
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=4_000),
)
log_processor = dict(by_epoch=False)
