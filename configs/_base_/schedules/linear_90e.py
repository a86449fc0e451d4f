# SGD on the linear layer alone; its inputs are batch-normalised.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='SGD', lr=0.02, momentum=0.9, weight_decay=0.0),
)
param_scheduler = dict(type='WarmupCosineLR', warmup=0.1, convert_to_iter_based=True)
train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=90, val_interval=10)
val_cfg = dict()
test_cfg = dict()
auto_scale_lr = dict(base_batch_size=512, enable=True)
