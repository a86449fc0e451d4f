# Bootstrapped MAE (MAE-K, K = 4) of the distilled DeiT-Tiny (192-d, patch 4) on CIFAR-10,
# 200 epochs in 4 stages of 50. Stage 1 predicts pixels. Each later stage predicts the
# features of the frozen encoder of the stage before.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny_cifar10.py 8
#   python tools/train.py configs/selfsup/bootmae_deit-tiny_cifar10.py \
#       --cfg-options train_dataloader.batch_size=512          # one process
#
# Cost: 0.92 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py); 15 PFLOP in
# total.
# Result: not trained at this length by this project. The public repository
# wsjdsg/Bootstrapped-MAE reports for its 200 epochs, top-1 on CIFAR-10's test set:
#   K          2     4     8     16    32    64
#   linear     57.5  57.5  57.2  57.9  47.6  40.9
#   finetune   88.5  89.3  89.5  89.6  86.8  69.6
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
model = dict(backbone=dict(img_size={{_base_.img_size}}))
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
