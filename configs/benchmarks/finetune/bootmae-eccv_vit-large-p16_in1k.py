# Full finetuning of BootMAE's ViT-L/16 on ImageNet-1K with the paper's recipe (Dong et al.,
# ECCV 2022): 50 epochs, lr 1.5e-3 at batch 1024, layer-wise learning-rate decay .75.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/bootmae-eccv_vit-large-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. The paper: 85.9 % top-1.
_base_ = 'vit-large-p16_in1k.py'

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
optim_wrapper = dict(optimizer=dict(lr=1.5e-3))
param_scheduler = dict(warmup=0.1, min_ratio=1e-6 / 1.5e-3)
