# Bootstrapped MAE with view stages, 48-d encoder of the DeiT-Tiny / CIFAR-10 report. Stage 1
# predicts pixels. In each later stage the student also predicts, from a masked view, the
# pooled and whitened feature that the frozen encoder of the stage before gives for another
# crop of the image.
#
#   bash tools/dist_train.sh configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py 8
#
# Cost: 0.13 GFLOP per image in stage 1, 0.18 in stages 2 to 4 (tools/cost.py).
# Result: not trained at this length by this project.
_base_ = 'bootmae_deit-tiny-d48_cifar10.py'

model = dict(
    neck=dict(
        _delete_=True,
        pixel=dict(type='MAEDecoder', embed_dims=96, depth=2, num_heads=3),
        view=dict(type='PooledTokens'),
    ),
    head=dict(
        pixel=dict(last_stage=None),
        feature=None,
        view=dict(type='ViewHead', first_stage=2),
    ),
)
data_preprocessor = dict(views=2)
optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(
        _delete_=True,
        type='timm.optim.Muon',
        lr=1.5e-2,
        betas=(0.9, 0.95),
        weight_decay=0.05,
    ),
)
