# BootMAE's segmentation recipe: AdamW, learning rate 4e-4 for batch 16, layer decay .65, 1,500
# iterations of warm-up, then linear decay to 0 at iteration 160,000. For another length:
#   max_iters=80000
_base_ = 'segment_50e.py'

max_iters = 160_000
warmup_iters = 1_500

optim_wrapper = dict(optimizer=dict(lr=4e-4), paramwise_cfg=dict(layer_decay_rate=0.65))
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-6, by_epoch=False, begin=0, end=warmup_iters),
    dict(type='PolyLR', power=1.0, by_epoch=False, begin=warmup_iters, end=max_iters),
]
train_cfg = dict(
    _delete_=True, type='IterBasedTrainLoop', max_iters=max_iters, val_interval=16_000
)
auto_scale_lr = dict(base_batch_size=16)
