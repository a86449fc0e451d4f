# Baseline of deit-tiny-d48_cifar10.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/partial/deit-tiny-d48_cifar10_random.py
#
# Cost and result: see deit-tiny-d48_cifar10.py
_base_ = './deit-tiny-d48_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
