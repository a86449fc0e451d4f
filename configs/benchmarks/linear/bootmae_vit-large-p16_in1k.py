# BootMAE's linear probe of its ViT-L/16 on ImageNet-1K, block 18 of 24. The paper: 77.1 %
# top-1. Not trained here.
#
#   bash tools/dist_train.sh configs/benchmarks/linear/bootmae_vit-large-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
_base_ = 'bootmae_vit-base-p16_in1k.py'

model = dict(
    backbone=dict(arch='vit-large', out_indices=17, frozen_stages=24),
    neck=dict(input_features=1024),
    head=dict(in_channels=1024),
)
