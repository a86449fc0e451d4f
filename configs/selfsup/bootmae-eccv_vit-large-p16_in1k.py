# BootMAE (Dong et al., ECCV 2022) of ViT-L/16 on ImageNet-1K, 800 epochs, batch 4096.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-eccv_vit-large-p16_in1k.py 8
#
# Cost: 258 GFLOP per image and step; an estimated 23 hours on 8 GPUs that sustain 400 TFLOP/s
# (tools/cost.py, docs/scaling.md), if the data loader keeps up.
# Result: not trained by this project. The paper: linear 77.1, finetune 85.9 % top-1.
_base_ = 'bootmae-eccv_vit-base-p16_in1k.py'

model = dict(
    backbone=dict(arch='vit-large'),
    neck=dict(pixel=dict(num_heads=16), feature=dict(embed_dims=1024, num_heads=16)),
    target_generator=dict(decay=[(0, 0.999), (100, 0.9999)]),
)
param_scheduler = dict(min_ratio=1e-5 / 2.4e-3)
