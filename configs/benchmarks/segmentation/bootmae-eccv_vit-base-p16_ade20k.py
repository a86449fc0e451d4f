# Segmentation of ADE20K (512x512 crops, 150 classes) with BootMAE's ViT-B/16 and UPerNet, the
# paper's recipe (Dong et al., ECCV 2022): 160,000 iterations, batch 16.
#
#   bash tools/dist_train.sh configs/benchmarks/segmentation/bootmae-eccv_vit-base-p16_ade20k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. The paper: 49.1 mIoU.
_base_ = [
    '../../_base_/models/upernet_vit-base-p16.py',
    '../../_base_/datasets/ade20k.py',
    '../../_base_/schedules/segment_160k.py',
    '../../_base_/segmentation_runtime.py',
]
# As in the pretraining, selfsup/bootmae-eccv_vit-base-p16_in1k.py.
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
model = dict(test_cfg=dict(crop_size={{_base_.crop_size}}))
default_hooks = dict(
    logger=dict(log_metric_by_epoch=False),
    checkpoint=dict(by_epoch=False, interval=16_000),
)
log_processor = dict(by_epoch=False)
