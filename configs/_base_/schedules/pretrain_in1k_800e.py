# MAE's ImageNet recipe: total batch 4096 (8 processes of 512), 40 of 800 epochs of warm-up.
_base_ = 'pretrain_200e.py'

optim_wrapper = dict(optimizer=dict(lr=1.5e-4 * 4096 / 256))
param_scheduler = dict(warmup=0.05)
train_cfg = dict(max_epochs=800)
auto_scale_lr = dict(base_batch_size=4096)
