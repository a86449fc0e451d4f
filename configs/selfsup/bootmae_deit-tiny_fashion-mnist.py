# Bootstrapped MAE (K = 4), DeiT-Tiny 192-d, Fashion-MNIST, 200 epochs.
#
#   python tools/prepare_data.py fashion-mnist
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_fashion-mnist.py 8
_base_ = [
    '../_base_/models/bootmae_deit-tiny.py',
    '../_base_/datasets/fashion-mnist_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
