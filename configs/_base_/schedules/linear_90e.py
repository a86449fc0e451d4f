# SGD on the linear layer alone; its inputs are batch-normalised. The report's protocol is
# linear_lars_900e.py, or on the command line
#   optim_wrapper.optimizer.type=LARS optim_wrapper.optimizer.lr=0.1 train_cfg.max_epochs=900
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0),
    # As MAE's LARS: no weight decay and no adaptive rate for biases (SGD ignores the
    # latter).
    paramwise_cfg=dict(
        custom_keys={'bias': dict(decay_mult=0.0, lars_exclude=True)},
    ),
)
param_scheduler = dict(type='WarmupCosineLR', warmup=0.1, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=512, enable=True)
