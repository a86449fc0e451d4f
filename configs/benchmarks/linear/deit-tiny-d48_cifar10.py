# Linear evaluation of the 48-d encoder of the DeiT-Tiny / CIFAR-10 report on CIFAR-10, 90
# epochs: frozen encoder, all 64 patch tokens side by side.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny-d48_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny-d48_cifar10/epoch_200.pth
#
# Cost and result: not trained at this length by this project. The report has 75.15 % top-1 for
# K = 1 (LARS, 900 epochs, 66 tokens). Figures of a short pretraining are in
# selfsup/bootmae_deit-tiny-d48_cifar10.py.
_base_ = 'deit-tiny_cifar10.py'

img_size = 32
patch_size = 4
num_features = (img_size // patch_size) ** 2 * 48

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(input_features=num_features),
    head=dict(in_channels=num_features),
)
# The layer reads each patch at its place: mirrored images help it, shifted ones do not, and a
# weight decay does (docs/results.md).
data_preprocessor = dict(augment=dict(padding=0))
optim_wrapper = dict(optimizer=dict(weight_decay=0.01))
