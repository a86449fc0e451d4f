# Full finetuning of BootMAE's ViT-B/16 on ImageNet-1K with the paper's recipe (Dong et al.,
# ECCV 2022): 100 epochs, lr 5e-3 at batch 2048, layer-wise learning-rate decay .6.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/bootmae-eccv_vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. The paper: 84.2 % top-1.
_base_ = 'vit-base-p16_in1k.py'

data_preprocessor = dict(mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5])
train_dataloader = dict(batch_size=256)
optim_wrapper = dict(optimizer=dict(lr=5e-3), paramwise_cfg=dict(layer_decay_rate=0.6))
param_scheduler = dict(warmup=0.2, min_ratio=1e-6 / 5e-3)
auto_scale_lr = dict(base_batch_size=2048)
