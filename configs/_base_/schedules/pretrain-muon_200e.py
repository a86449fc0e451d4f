# Muon for the matrices of the transformer blocks and AdamW for the rest, at one learning rate.
_base_ = 'pretrain_200e.py'

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
