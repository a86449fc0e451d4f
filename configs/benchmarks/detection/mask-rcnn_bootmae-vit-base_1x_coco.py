# Detection and instance masks on COCO (80 classes) with BootMAE's ViT-B/16 and Mask R-CNN, the
# paper's recipe (Dong et al., ECCV 2022): 12 epochs, batch 16. Needs the extra `det` and the
# compiled operators of mmcv (docs/scaling.md#detection).
#
#   bash tools/dist_train.sh configs/benchmarks/detection/mask-rcnn_bootmae-vit-base_1x_coco.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project.
_base_ = [
    '../../_base_/models/mask-rcnn_vit-base-p16.py',
    '../../_base_/datasets/coco.py',
    '../../_base_/schedules/detect_1x.py',
    '../../_base_/detection_runtime.py',
]
