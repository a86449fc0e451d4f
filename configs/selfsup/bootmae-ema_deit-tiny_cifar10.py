# MAE-EMA: 40 epochs of pixels, then the features of a moving average of the encoder.
# DeiT-Tiny 192-d, CIFAR-10, 200 epochs. A public run of this recipe (decay .999 after
# 40 epochs) reports linear 54.7, finetune 89.1 % top-1; a decay of .95 or less
# collapses (about 41 and 66).
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-ema_deit-tiny_cifar10.py 8
_base_ = 'bootmae_deit-tiny_cifar10.py'

model = dict(target_generator=dict(type='EMAEncoder', decay=0.999))
default_hooks = dict(bootstrap=dict(num_stages=None, boundaries=[40]))
