# Linear evaluation of the small encoder of the JAX course report on CIFAR-10, 90 epochs:
# frozen encoder, all 64 patch tokens side by side, batch norm, one linear layer.
#
#   python tools/train.py configs/benchmarks/linear/vit-small-jax_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/mae_vit-small-jax_cifar10/epoch_200.pth
#
# In minutes, on features that are extracted once:
#
#   python tools/linear_probe.py configs/benchmarks/linear/vit-small-jax_cifar10.py \
#       work_dirs/mae_vit-small-jax_cifar10/epoch_200.pth --pool flatten64
#
# Cost: 81,930 trained parameters.
# Result: not trained by this project. The report's figures are of masked training images (see
# selfsup/mae_vit-small-jax_cifar10.py) and cannot be compared.
# From random weights: vit-small-jax_cifar10_random.py
# With a hidden layer: ../mlp/vit-small-jax_cifar10.py
_base_ = 'deit-tiny_cifar10.py'

img_size = 32
patch_size = 4
num_features = (img_size // patch_size) ** 2 * 128

model = dict(
    backbone=dict(
        type='MaskedViT',
        arch=dict(
            _delete_=True, embed_dims=128, num_layers=3, num_heads=4, mlp_ratio=2
        ),
        frozen_stages=3,
    ),
    neck=dict(input_features=num_features),
    head=dict(in_channels=num_features),
)
