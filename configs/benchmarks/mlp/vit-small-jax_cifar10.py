# MLP head on the frozen small encoder of the JAX course report, CIFAR-10, 90 epochs: all 64
# patch tokens side by side, batch norm, one hidden layer of 512 (ReLU). The report does not
# give the width of its hidden layer.
#
#   python tools/train.py configs/benchmarks/mlp/vit-small-jax_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/mae_vit-small-jax_cifar10/epoch_200.pth
#
# Cost: 4,199,946 trained parameters.
# Result: not trained by this project. The report's figures are of masked training images (see
# selfsup/mae_vit-small-jax_cifar10.py) and cannot be compared.
# More hidden layers: model.head.mid_channels="[512,512]"
# From random weights: vit-small-jax_cifar10_random.py
# Without the hidden layer: ../linear/vit-small-jax_cifar10.py
_base_ = '../linear/vit-small-jax_cifar10.py'

img_size = 32
patch_size = 4
num_features = (img_size // patch_size) ** 2 * 128

model = dict(
    head=dict(
        _delete_=True,
        type='StackedLinearClsHead',
        num_classes=10,
        in_channels=num_features,
        mid_channels=[512],
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.01),
    ),
)
