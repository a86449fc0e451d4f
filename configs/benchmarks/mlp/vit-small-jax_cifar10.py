# The JAX course report's small encoder, frozen, with an MLP head on CIFAR-10: 64 patch
# tokens flattened, one hidden layer of 512 (ReLU), 4,199,946 trained parameters, 90
# epochs. The report does not give the width of its hidden layer.
#
#   python tools/train.py configs/benchmarks/mlp/vit-small-jax_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/mae_vit-small-jax_cifar10/epoch_200.pth
#
# More hidden layers: model.head.mid_channels="[512,512]"
#
# Not measured yet. The report's figures are of masked training images, and not comparable.
#
# From random weights: vit-small-jax_cifar10_random.py
# Without the hidden layer: ../linear/vit-small-jax_cifar10.py
_base_ = '../linear/vit-small-jax_cifar10.py'

model = dict(
    head=dict(
        _delete_=True,
        type='StackedLinearClsHead',
        num_classes=10,
        in_channels=64 * 128,
        mid_channels=[512],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.01),
    ),
)
