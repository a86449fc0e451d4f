# Baseline of vit-medium-jax_cifar10.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/linear/vit-medium-jax_cifar10_random.py
#
# Cost and result: see vit-medium-jax_cifar10.py
_base_ = './vit-medium-jax_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
