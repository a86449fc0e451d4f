# MLP evaluation of an encoder that was not pretrained:
# what vit-small-jax_cifar10.py has to beat.
#
#   python tools/train.py configs/benchmarks/mlp/vit-small-jax_cifar10_random.py
_base_ = './vit-small-jax_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
