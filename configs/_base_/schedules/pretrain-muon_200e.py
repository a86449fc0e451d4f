# Muon for the matrices of the transformer blocks and AdamW for the rest, at one learning rate,
# which grows with the square root of the batch.
_base_ = 'pretrain_200e.py'

optim_wrapper = dict(
    constructor='MuonConstructor',
    optimizer=dict(
        _delete_=True,
        type='timm.optim.Muon',
        lr=7.5e-3,
        betas=(0.9, 0.95),
        weight_decay=0.05,
    ),
)
auto_scale_lr = dict(base_batch_size=256, rule='sqrt')
