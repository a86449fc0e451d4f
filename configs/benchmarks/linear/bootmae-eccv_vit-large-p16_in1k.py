# Linear evaluation of BootMAE's ViT-L/16 on ImageNet-1K with the paper's recipe (Dong et al.,
# ECCV 2022): as bootmae-eccv_vit-base-p16_in1k.py, on block 18 of 24.
#
#   bash tools/dist_train.sh configs/benchmarks/linear/bootmae-eccv_vit-large-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. The paper: 77.1 % top-1.
_base_ = 'bootmae-eccv_vit-base-p16_in1k.py'

model = dict(
    backbone=dict(arch='vit-large', out_indices=17, frozen_stages=24),
    neck=dict(input_features=1024),
    head=dict(in_channels=1024),
)
