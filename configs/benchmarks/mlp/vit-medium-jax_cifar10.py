# MLP head on the frozen medium encoder of the JAX course report, CIFAR-10, 90 epochs: all 64
# patch tokens side by side, batch norm, one hidden layer of 512 (ReLU). The report does not
# give the width of its hidden layer.
#
#   python tools/train.py configs/benchmarks/mlp/vit-medium-jax_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/mae_vit-medium-jax_cifar10/epoch_200.pth
#
# Cost: 8,394,250 trained parameters.
# Result: not trained by this project. The report's figures are of masked training images (see
# selfsup/mae_vit-medium-jax_cifar10.py) and cannot be compared.
# More hidden layers: model.head.mid_channels="[512,512]"
# From random weights: vit-medium-jax_cifar10_random.py
# Without the hidden layer: ../linear/vit-medium-jax_cifar10.py
_base_ = 'vit-small-jax_cifar10.py'

img_size = 32
patch_size = 4
num_features = (img_size // patch_size) ** 2 * 256

model = dict(
    backbone=dict(arch=dict(embed_dims=256, num_layers=4), frozen_stages=4),
    neck=dict(input_features=num_features),
    head=dict(in_channels=num_features),
)
