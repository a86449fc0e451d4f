# Bootstrapped MAE with view stages, 48-d encoder of the DeiT-Tiny / CIFAR-10 report. The
# overrides of bootmae-views_deit-tiny_cifar10.py work here, too.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py 8
#
# Cost: 0.13 GFLOP per image in stage 1, 0.18 in stages 2 to 4 (tools/cost.py).
# Result: not trained at this length by this project. The encoder in the wheel has 24 epochs
# (batch 64, colors, a last stage that masks a quarter without pixels; 1.8 core-hours, one
# seed, 2026-11-28): linear 60.5 on the mean of the patches and 70.1 on all of them, 20-NN 63.6
# and 66.4 (CIFAR-10, JPEG copy, 5,000 test images). Its command is in weights/.
_base_ = 'bootmae-views_deit-tiny_cifar10.py'

model = dict(
    backbone=dict(arch=dict(_delete_=True, embed_dims=48, num_layers=12, num_heads=3)),
    neck=dict(pixel=dict(embed_dims=96)),
)
