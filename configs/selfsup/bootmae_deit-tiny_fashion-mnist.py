# Bootstrapped MAE (K = 4) of the distilled DeiT-Tiny (192-d, patch 4) on Fashion-MNIST's
# 60,000 training images, 200 epochs in 4 stages of 50.
#
#   python tools/prepare_data.py fashion-mnist
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_fashion-mnist.py 8
#
# Cost: 0.92 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py); 18 PFLOP in
# total.
# Result: not trained by this project.
_base_ = [
    '../_base_/models/bootmae_deit-tiny.py',
    '../_base_/datasets/fashion-mnist_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size={{_base_.img_size}}))
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
