# Muon for the matrices of the transformer blocks and AdamW for the rest, at one learning rate,
# which grows with the square root of the batch; no layer decay.
_base_ = 'segment_50e.py'

optim_wrapper = dict(
    constructor='mmpretrain.MuonLayerDecayConstructor',
    optimizer=dict(
        _delete_=True,
        type='timm.optim.Muon',
        lr=1.5e-3,
        betas=(0.9, 0.95),
        weight_decay=0.05,
    ),
    paramwise_cfg=dict(layer_decay_rate=1.0),
)
auto_scale_lr = dict(rule='sqrt')
