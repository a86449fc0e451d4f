# BootMAE (Dong et al., ECCV 2022), ViT-B/16, ImageNet-1K, 800 epochs, batch 4096. The
# paper: linear 66.1, finetune 84.2 % top-1, ADE20K UPerNet 49.1 mIoU. Not trained here.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_vit-base-p16_in1k.py 8
#
# Injection ablation (finetune top-1; feature branch from block 1 / 6 / 12):
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
data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
param_scheduler = dict(min_ratio=1e-4 / 2.4e-3)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=1))
