# EasyCV's ImageNet-1K finetuning: total batch 1024 (8 processes of 128), 5 of 100 epochs of
# warm-up.
_base_ = 'finetune_100e.py'

optim_wrapper = dict(
    optimizer=dict(lr=2e-3),
    paramwise_cfg=dict(layer_decay_rate=0.65),
)
param_scheduler = dict(warmup=0.05, min_ratio=1e-6 / 2e-3)
auto_scale_lr = dict(base_batch_size=1024, enable=True)
