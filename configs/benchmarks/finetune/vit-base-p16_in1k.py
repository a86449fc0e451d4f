# Finetuning of an MAE ViT-B/16 on ImageNet-1K, EasyCV's recipe: mixup and cutmix together
# (83.21 -> 83.36 top-1 against mixup alone), mean-pooled tokens (-> 83.55), layer decay
# .65 after 1600 epochs of pretraining, .75 after 400 (83.13). Not trained here.
#
#   bash tools/dist_train.sh configs/benchmarks/finetune/vit-base-p16_in1k.py 8 \
#       --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
#
# After 400 epochs of pretraining: optim_wrapper.paramwise_cfg.layer_decay_rate=0.75
# From random weights: vit-base-p16_in1k_random.py. Only the last blocks:
# ../partial/vit-base-p16_in1k.py. The switches: see deit-tiny_cifar10.py.
_base_ = [
    '../../_base_/models/classifier_vit-base-p16.py',
    '../../_base_/datasets/imagenet_finetune.py',
    '../../_base_/schedules/finetune_in1k_100e.py',
    '../../_base_/default_runtime.py',
]
