# Partial finetuning, MAE ViT-B/16, ImageNet-1K: the last n of 12 blocks, new norm and
# head are trained, n = 1 here; all before them stays as it was pretrained. The recipe and
# its switches are those of ../finetune/vit-base-p16_in1k.py.
#
# MAE's figure, ViT-L: n = 0 73.5 %, n = 1 81.0 % top-1. Not trained here.
#
#   bash tools/dist_train.sh configs/benchmarks/partial/vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
#   n                               0   1   2   4   6   12
#   model.backbone.frozen_stages=  12  11  10   8   6   -1
#
# n = 0 trains new norm and head, on frozen features; n = 12 is full finetuning (0 instead of
# -1 would leave the patch embedding and the extra tokens frozen).
# From random weights: vit-base-p16_in1k_random.py
_base_ = '../finetune/vit-base-p16_in1k.py'

model = dict(backbone=dict(frozen_stages=11))
