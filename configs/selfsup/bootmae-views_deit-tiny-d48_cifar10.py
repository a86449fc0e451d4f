# Bootstrapped MAE with view stages, 48-d encoder of the DeiT-Tiny / CIFAR-10 report. The
# overrides of bootmae-views_deit-tiny_cifar10.py work here, too.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py 8
#
# Cost: 0.13 GFLOP per image in stage 1, 0.18 in stages 2 to 4 (tools/cost.py).
# Result: not trained at this length by this project.
_base_ = 'bootmae-views_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(pixel=dict(embed_dims=96)),
)
