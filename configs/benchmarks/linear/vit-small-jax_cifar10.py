# Linear evaluation of the JAX course report's small encoder on CIFAR-10: frozen encoder,
# 64 patch tokens flattened, 81,930 trained parameters, 90 epochs.
#
#   python tools/train.py configs/benchmarks/linear/vit-small-jax_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/mae_vit-small-jax_cifar10/epoch_200.pth
#
# Minutes instead of hours, on features extracted once:
#
#   python tools/linear_probe.py configs/benchmarks/linear/vit-small-jax_cifar10.py \
#       work_dirs/mae_vit-small-jax_cifar10/epoch_200.pth --pool flatten64
#
# Not measured yet. The report's figures are of masked training images, and not comparable.
#
# From random weights: vit-small-jax_cifar10_random.py
# With a hidden layer: ../mlp/vit-small-jax_cifar10.py
_base_ = 'deit-tiny_cifar10.py'

model = dict(
    backbone=dict(
        type='MaskedViT',
        arch=dict(
            _delete_=True, embed_dims=128, num_layers=3, num_heads=4, mlp_ratio=2
        ),
        frozen_stages=3,
    ),
    neck=dict(input_features=64 * 128),
    head=dict(in_channels=64 * 128),
)
