# MAE, distilled DeiT-Tiny 192-d (patch 4), CIFAR-10, 200 epochs.
#
#   bash tools/dist_train.sh configs/selfsup/mae_deit-tiny_cifar10.py 8
#   python tools/train.py configs/selfsup/mae_deit-tiny_cifar10.py \
#       --cfg-options train_dataloader.batch_size=512          # one process
_base_ = [
    '../_base_/models/mae_deit-tiny.py',
    '../_base_/datasets/cifar10_selfsup.py',
    '../_base_/schedules/pretrain_200e.py',
    '../_base_/default_runtime.py',
]
