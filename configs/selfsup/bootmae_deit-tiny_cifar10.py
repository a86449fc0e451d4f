# Bootstrapped MAE (MAE-K, K = 4), distilled DeiT-Tiny 192-d (patch 4), CIFAR-10,
# 200 epochs in 4 stages of 50: pixels, then three times the features of the frozen
# encoder of the stage before.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_cifar10.py 8
#   python tools/train.py configs/selfsup/bootmae_deit-tiny_cifar10.py \
#       --cfg-options train_dataloader.batch_size=512          # one process
#
# One-line overrides (--cfg-options, or in a config that inherits this one):
#   K          default_hooks.bootstrap.num_stages=8
#   epochs     train_cfg.max_epochs=800
#   batch      train_dataloader.batch_size=128   (the learning rate follows)
#   decoder    model.neck.embed_dims=512 model.neck.depth=8 model.neck.num_heads=8
#   target     model.head.feature.target_norm=layer
#   restart    default_hooks.bootstrap.restart_schedule=True
_base_ = [
    '../_base_/models/bootmae_deit-tiny.py',
    '../_base_/datasets/cifar10_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
