"""View stages against pixels alone, and what makes them better."""

question = (
    'Do view stages pay at equal time, and what helps them? 48-d encoder, batch 256, 8 '
    'epochs (12 where a run has no teacher, which takes about the same time).'
)
config = 'bootmae-views_deit-tiny-d48_cifar10'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {'train_cfg.max_epochs': 8, 'train_dataloader.batch_size': 256}
runs = {
    'views, K = 4': {},
    'views, K = 4, colors of both views': {
        'data_preprocessor.color.type': 'BatchColorJitter',
    },
    'views, K = 4, colors of the second view': {
        'data_preprocessor.color.type': 'BatchColorJitter',
        'data_preprocessor.color_views': [1],
    },
    'views, K = 2, first stage 1/8': {
        'default_hooks.bootstrap.num_stages': 2,
        'default_hooks.bootstrap.boundaries': [0.125],
    },
    'views, K = 8': {'default_hooks.bootstrap.num_stages': 8},
    'pixels alone, 12 epochs': {
        'default_hooks.bootstrap.num_stages': 1,
        'train_cfg.max_epochs': 12,
    },
}
