# Baseline of vit-small-jax_cifar10.py: the same training from random weights.
#
#   python tools/train.py configs/benchmarks/linear/vit-small-jax_cifar10_random.py
#
# Cost and result: see vit-small-jax_cifar10.py
_base_ = './vit-small-jax_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
