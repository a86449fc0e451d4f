# Linear evaluation of the JAX course report's medium encoder on CIFAR-10: frozen encoder,
# 64 patch tokens flattened, 163,850 trained parameters, 90 epochs.
#
#   python tools/train.py configs/benchmarks/linear/vit-medium-jax_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/mae_vit-medium-jax_cifar10/epoch_200.pth
#
# Not measured yet. The report's figures are of masked training images, and not comparable.
#
# From random weights: vit-medium-jax_cifar10_random.py
# With a hidden layer: ../mlp/vit-medium-jax_cifar10.py
_base_ = 'vit-small-jax_cifar10.py'

model = dict(
    backbone=dict(arch=dict(embed_dims=256, num_layers=4), frozen_stages=4),
    neck=dict(input_features=64 * 256),
    head=dict(in_channels=64 * 256),
)
