# LARS on the linear layer alone.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='LARS', lr=0.1, momentum=0.9, weight_decay=0.0),
)
param_scheduler = dict(type='WarmupCosineLR', warmup=0.1, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=512, enable=True)
