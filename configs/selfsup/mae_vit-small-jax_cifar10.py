# The small MAE of the JAX course report: encoder 128-d x 3, decoder 64-d x 1, CIFAR-10.
# Its figures count agreeing one-hot entries, .8 + .2 * top-1: about 53 % top-1 on masked
# training images.
#
#   python tools/train.py configs/selfsup/mae_vit-small-jax_cifar10.py
#
# Grid-wise sampling:  model.masking.type=GridMasking
# Mask-ratio sweep:    model.masking.mask_ratio=0.1 ... 0.9
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
