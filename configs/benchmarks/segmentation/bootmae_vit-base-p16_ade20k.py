# BootMAE's segmentation transfer: ADE20K at 512, UPerNet on its ViT-B/16, 160,000
# iterations at a batch of 16. The paper: mIoU 49.1. Not trained here.
#
#   bash tools/dist_train.sh configs/benchmarks/segmentation/bootmae_vit-base-p16_ade20k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
_base_ = [
    '../../_base_/models/upernet_vit-base-p16.py',
    '../../_base_/datasets/ade20k.py',
    '../../_base_/schedules/segment_160k.py',
    '../../_base_/segmentation_runtime.py',
]
# What the encoder was pretrained with (selfsup/bootmae_vit-base-p16_in1k).
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=16_000),
)
log_processor = dict(by_epoch=False)
