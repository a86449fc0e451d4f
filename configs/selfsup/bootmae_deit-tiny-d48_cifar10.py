# Bootstrapped MAE with the 48-d encoder of the DeiT-Tiny / CIFAR-10 report.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae_deit-tiny-d48_cifar10.py 8
#
# The report's decoder (512-d, 8 blocks, 8 heads) costs 40 times this one's:
#   model.neck.embed_dims=512 model.neck.depth=8 model.neck.num_heads=8
_base_ = 'bootmae_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(embed_dims=96, depth=2, num_heads=3),
)
optim_wrapper = dict(optimizer=dict(lr=2e-3))
