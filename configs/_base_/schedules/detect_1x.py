# BootMAE's detection recipe: AdamW, learning rate 4e-4 for batch 16, layer decay .75, 12 epochs,
# the rate divided by 10 after epochs 8 and 11. The warm-up of 500 iterations is mmdetection's.
_base_ = 'segment_50e.py'

optim_wrapper = dict(optimizer=dict(lr=4e-4), paramwise_cfg=dict(layer_decay_rate=0.75))
param_scheduler = [
    dict(type='LinearLR', start_factor=0.001, by_epoch=False, begin=0, end=500),
    dict(type='MultiStepLR', by_epoch=True, end=12, milestones=[8, 11], gamma=0.1),
]
train_cfg = dict(max_epochs=12, val_interval=1)
auto_scale_lr = dict(base_batch_size=16)
