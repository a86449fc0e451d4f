# BootMAE's segmentation recipe: AdamW 4e-4 at a batch of 16, layer decay .65, 1,500
# iterations of warm-up, then linearly to 0 at 160,000. Another length n takes two
# overrides: train_cfg.max_iters=n param_scheduler.1.end=n
_base_ = 'segment_50e.py'

optim_wrapper = dict(optimizer=dict(lr=4e-4), paramwise_cfg=dict(layer_decay_rate=0.65))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=1500),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=1500, end=160_000),
]
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=160_000, val_interval=16_000
)
auto_scale_lr = dict(base_batch_size=16)
