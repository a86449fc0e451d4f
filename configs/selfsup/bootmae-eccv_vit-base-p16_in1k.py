# BootMAE (Dong et al., ECCV 2022) of ViT-B/16 on ImageNet-1K, 800 epochs, batch 4096.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-eccv_vit-base-p16_in1k.py 8
#
# Cost: 89.7 GFLOP per image and step; an estimated 8 hours on 8 GPUs that sustain 400 TFLOP/s
# (tools/cost.py, docs/scaling.md), if the data loader keeps up.
# Result: not trained by this project. The paper: linear 66.1, finetune 84.2 % top-1; ADE20K
# UPerNet 49.1 mIoU.
#
# The paper's ablation of the injected block (finetune top-1; feature branch from block 1 /
# 6 / 12):
#   pixel branch from block 12   83.2 / 83.3 / 83.4   model.neck.pixel.inject=11
#   pixel branch from block 6    83.6 / 83.6 / 83.7   model.neck.pixel.inject=5
#   pixel branch from block 1    83.8 / 83.9 / 84.0   model.neck.pixel.inject=0
# and model.neck.feature.inject=0, 5 or 11.
_base_ = [
    '../_base_/models/bootmae-eccv_vit-base-p16.py',
    '../_base_/datasets/imagenet_selfsup.py',
    '../_base_/schedules/pretrain_in1k_800e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size={{_base_.img_size}}))
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
param_scheduler = dict(min_ratio=1e-4 / 2.4e-3)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=1))
