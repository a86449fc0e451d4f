# Full finetuning of an MAE ViT-L/16 on ImageNet-1K with EasyCV's recipe, 50 epochs, batch
# 1024, layer-wise learning-rate decay .75.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/vit-large-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. EasyCV: 85.70 % top-1 after 1600 epochs of
# pretraining.
_base_ = 'vit-base-p16_in1k.py'

model = dict(
    backbone=dict(arch='vit-large', drop_path_rate=0.2),
    neck=dict(embed_dims=1024),
    head=dict(in_channels=1024),
)
optim_wrapper = dict(optimizer=dict(lr=4e-3), paramwise_cfg=dict(layer_decay_rate=0.75))
param_scheduler = dict(warmup=0.1, min_ratio=1e-6 / 4e-3)
train_cfg = dict(max_epochs=50)
