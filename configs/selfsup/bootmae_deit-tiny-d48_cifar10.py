# Bootstrapped MAE with the 48-d encoder of the DeiT-Tiny / CIFAR-10 report.
_base_ = 'bootmae_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(embed_dims=96, depth=2, num_heads=3),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
