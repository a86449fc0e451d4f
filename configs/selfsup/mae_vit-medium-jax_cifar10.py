# The medium MAE of the JAX course report: encoder 256-d x 4, decoder 128-d x 2, CIFAR-10
# (its figures as for the small one: about 67 % top-1).
#
#   python tools/train.py configs/selfsup/mae_vit-medium-jax_cifar10.py
_base_ = 'mae_vit-small-jax_cifar10.py'

model = dict(
    backbone=dict(arch=dict(embed_dims=256, num_layers=4)),
    neck=dict(embed_dims=128, depth=2),
)
