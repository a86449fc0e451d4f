# MAE (He et al. 2021) of the distilled DeiT-Tiny (192-d, patch 4) on CIFAR-10, 200 epochs.
#
#   bash tools/dist_train.sh configs/selfsup/mae_deit-tiny_cifar10.py 8
#   python tools/train.py configs/selfsup/mae_deit-tiny_cifar10.py \
#       --cfg-options train_dataloader.batch_size=512          # one process
#
# Cost: 0.92 GFLOP per image and step (tools/cost.py), 9.2 PFLOP in total.
# Result: not trained at this length by this project. Public runs of 200 epochs are listed
# in bootmae_deit-tiny_cifar10.py.
_base_ = [
    '../_base_/models/mae_deit-tiny.py',
    '../_base_/datasets/cifar10_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
model = dict(backbone=dict(img_size={{_base_.img_size}}))
