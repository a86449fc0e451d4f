# Segmentation transfer, CamVid 240x180 (367 / 101 / 117 images, 11 classes), UPerNet on
# DeiT-Tiny 192-d, patch 8, pretrained on CamVid's own training images
# (selfsup/bootmae_deit-tiny_camvid).
#
#   python tools/train.py configs/benchmarks/segmentation/deit-tiny_camvid.py \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#   python tools/test.py configs/benchmarks/segmentation/deit-tiny_camvid.py \
#       work_dirs/deit-tiny_camvid/epoch_50.pth            # mIoU, IoU of each class
#
# From random weights: deit-tiny_camvid_random.py
_base_ = [
    '../../_base_/models/upernet_deit-tiny.py',
    '../../_base_/datasets/camvid.py',
    '../../_base_/schedules/segment_50e.py',
    '../../_base_/segmentation_runtime.py',
]
model = dict(
    backbone=dict(img_size=96),
    decode_head=dict(ignore_index=11),
    auxiliary_head=dict(ignore_index=11),
    # Windows of the size of the crops: the position embedding means the same in both.
    test_cfg=dict(mode='slide', crop_size=(128, 128), stride=(56, 52)),
)
