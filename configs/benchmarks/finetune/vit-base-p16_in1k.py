# Full finetuning of an MAE ViT-B/16 on ImageNet-1K with EasyCV's recipe, 100 epochs, batch
# 1024: mean of the patch tokens, mixup and cutmix, layer-wise learning-rate decay .65.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# Cost and result: not trained by this project. EasyCV: 83.55 % top-1 after 1600 epochs of
# pretraining. Cutmix beside mixup brings 83.21 to 83.36, the mean of the patch tokens to 83.55.
# After 400 epochs of pretraining, EasyCV has 83.13 with
#   optim_wrapper.paramwise_cfg.layer_decay_rate=0.75
# From random weights: vit-base-p16_in1k_random.py
# Only the last blocks: ../partial/vit-base-p16_in1k.py
# Overrides (mixup, averaged weights, ...): see deit-tiny_cifar10.py
_base_ = [
    '../../_base_/models/classifier_vit-base-p16.py',
    '../../_base_/datasets/imagenet_finetune.py',
    '../../_base_/schedules/finetune_in1k_100e.py',
    '../../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size={{_base_.img_size}}))
