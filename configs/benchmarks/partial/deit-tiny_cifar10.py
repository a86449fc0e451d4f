# Partial finetuning of DeiT-Tiny (192-d) on CIFAR-10: the last n of 12 blocks, the final
# norm and the head are trained, n = 1 here. Everything before them keeps its pretrained
# weights. The rest of the recipe and its overrides are in ../finetune/deit-tiny_cifar10.py.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_cifar10/epoch_200.pth
#
# Cost and result: not trained by this project.
#   n                               0   1   2   4   6   12
#   model.backbone.frozen_stages=  12  11  10   8   6   -1
#
# n = 0 trains the head on frozen features. n = 12 is full finetuning; for it use -1: 0 would
# freeze the patch embedding and the extra tokens.
# From random weights: deit-tiny_cifar10_random.py
_base_ = '../finetune/deit-tiny_cifar10.py'

model = dict(backbone=dict(frozen_stages=11))
