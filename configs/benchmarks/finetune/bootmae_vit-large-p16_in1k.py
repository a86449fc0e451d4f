# BootMAE's finetuning of its ViT-L/16 on ImageNet-1K: 50 epochs, lr 1.5e-3 at batch 1024,
# layer decay .75. The paper: 85.9 % top-1. Not trained here.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/bootmae_vit-large-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
_base_ = 'vit-large-p16_in1k.py'

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = dict(warmup=0.1, min_ratio=1e-6 / 1.5e-3)
