# SGD for linear evaluation; only the linear layer is trained, on batch-normalized features.
# The protocol of the DeiT-Tiny / CIFAR-10 report is linear_lars_900e.py, or
#   optim_wrapper.optimizer.type=LARS optim_wrapper.optimizer.lr=0.1 train_cfg.max_epochs=900
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0),
    # As in MAE's LARS: no weight decay and no adaptive rate for biases. SGD ignores
    # lars_exclude.
    paramwise_cfg=dict(
        custom_keys={'bias': dict(decay_mult=0.0, lars_exclude=True)},
    ),
)
param_scheduler = dict(type='WarmupCosineLR', warmup=0.1, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=512, enable=True)
