# Partial finetuning of an MAE ViT-B/16 on ImageNet-1K: the last n of 12 blocks, a new norm
# and the head are trained, n = 1 here. Everything before them keeps its pretrained weights.
# The rest of the recipe and its overrides are in ../finetune/vit-base-p16_in1k.py.
#
#   bash tools/dist_train.sh configs/benchmarks/partial/vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. MAE's figure for ViT-L: 73.5 % top-1 for n = 0,
# 81.0 for n = 1.
#   n                               0   1   2   4   6   12
#   model.backbone.frozen_stages=  12  11  10   8   6   -1
#
# n = 0 trains the new norm and the head on frozen features. n = 12 is full finetuning; for it
# use -1: 0 would freeze the patch embedding and the extra tokens.
# From random weights: vit-base-p16_in1k_random.py
_base_ = '../finetune/vit-base-p16_in1k.py'

model = dict(backbone=dict(frozen_stages=11))
