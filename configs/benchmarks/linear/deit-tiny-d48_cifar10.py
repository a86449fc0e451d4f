# Linear evaluation of the report's 48-d encoder on CIFAR-10.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny-d48_cifar10.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny-d48_cifar10/epoch_200.pth
_base_ = 'deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(input_features=64 * 48),
    head=dict(in_channels=64 * 48),
)
