# Linear evaluation of an encoder that was not pretrained:
# what vit-medium-jax_cifar10.py has to beat.
#
#   python tools/train.py configs/benchmarks/linear/vit-medium-jax_cifar10_random.py
_base_ = './vit-medium-jax_cifar10.py'

model = dict(backbone=dict(init_cfg=None))
