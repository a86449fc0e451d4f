"""AdamW and schedule-free AdamW at their own rates, against Muon."""

question = (
    'What do AdamW and schedule-free AdamW reach at their best rate? Pixels alone (K = '
    '1), 48-d encoder, batch 64, 11 epochs. Rates are those of the steps.'
)
config = 'results/configs/views_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {
    'default_hooks.bootstrap.num_stages': 1,
    'train_cfg.max_epochs': 11,
    'train_dataloader.batch_size': 64,
    'auto_scale_lr.enable': False,
}
optimizer = 'optim_wrapper.optimizer'
adamw = {
    'optim_wrapper.constructor': 'MergedGroupsConstructor',
    f'{optimizer}._delete_': True,
    f'{optimizer}.type': 'AdamW',
    f'{optimizer}.betas': [0.9, 0.95],
    f'{optimizer}.weight_decay': 0.05,
    f'{optimizer}.fused': True,
}
free = {'config': 'results/configs/schedule-free_d48.py'}
# Muon: 'pixels alone' of batch.py, with 3.75e-3.
runs = {
    f'{name} {rate}': {**recipe, f'{optimizer}.lr': float(rate)}
    for name, recipe in {'AdamW': adamw, 'schedule-free AdamW': free}.items()
    for rate in ('1e-3', '2e-3', '4e-3', '8e-3')
}
