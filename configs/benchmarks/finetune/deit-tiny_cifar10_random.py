# Baseline of deit-tiny_cifar10.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_cifar10_random.py
#
# Cost and result: see deit-tiny_cifar10.py
_base_ = './deit-tiny_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
