# The small MAE of the JAX course report on CIFAR-10, 200 epochs: encoder 128-d with 3 blocks,
# decoder 64-d with 1 block, patch 4.
#
#   python tools/train.py configs/selfsup/mae_vit-small-jax_cifar10.py
#
# Cost: 0.06 GFLOP per image and step (tools/cost.py), 0.56 PFLOP in total.
# Result: not trained at this length by this project. The report's .906 counts agreeing entries
# of one-hot vectors, .8 + .2 * top-1: about 53 % top-1, on masked training images.
#
# Overrides:
#   grid-wise sampling   model.masking.type=GridMasking
#   mask ratio           model.masking.mask_ratio=0.1 ... 0.9
_base_ = 'mae_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(
        type='MaskedViT',
        arch=dict(
            _delete_=True, embed_dims=128, num_layers=3, num_heads=4, mlp_ratio=2
        ),
    ),
    neck=dict(embed_dims=64, depth=1, num_heads=4, mlp_ratio=2),
)
