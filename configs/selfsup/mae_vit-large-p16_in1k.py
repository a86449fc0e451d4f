# MAE (He et al. 2021) of ViT-L/16 on ImageNet-1K, 1600 epochs, batch 4096.
#
#   bash tools/dist_train.sh configs/selfsup/mae_vit-large-p16_in1k.py 8
#
# Cost: python tools/cost.py configs/selfsup/mae_vit-large-p16_in1k.py --gpus 8 estimates it.
# Result: not trained by this project. Finetuned, the paper has 85.9 % top-1, EasyCV's
# reproduction 85.70. Keep the weight decay of 0.05: EasyCV reports exploding gradients in
# finetuning after pretraining with 0.01.
_base_ = 'mae_vit-base-p16_in1k.py'

model = dict(backbone=dict(arch='vit-large'))
param_scheduler = dict(warmup=40 / 1600)
train_cfg = dict(max_epochs=1600)
