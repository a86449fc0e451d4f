"""View stages against one-stage methods, and what makes them better."""

question = (
    'Do view stages pay at equal time, how many, and what helps them? 48-d encoder, '
    'batch 256, 8 epochs; 12 of the pixels alone, without a teacher, and 6 of the '
    'methods that encode both views, which take about the same time.'
)
config = 'results/configs/views_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {'train_cfg.max_epochs': 8, 'train_dataloader.batch_size': 256}
colors = {'data_preprocessor.color.type': 'BatchColorJitter'}
# One view stage as long as the three of K = 4, after the same stage of pixels.
one_stage = {
    'default_hooks.bootstrap.num_stages': 2,
    'default_hooks.bootstrap.boundaries': [0.25],
}
joint = {'config': 'mae-joint_deit-tiny-d48_cifar10', 'train_cfg.max_epochs': 6}
runs = {
    'views, K = 4': {},
    'views, K = 4, colors of both views': colors,
    'pixels alone': {
        'default_hooks.bootstrap.num_stages': 1,
        'train_cfg.max_epochs': 12,
    },
    'views, K = 2, colors of both views': {**colors, **one_stage},
    'pixels and SimCLR': {
        **joint,
        'model.head.view.loss': 'simclr',
        'model.head.view.loss_weight': 0.1,
    },
    'views, moving average, colors of both views': {
        **colors,
        **one_stage,
        'model.target_generator.type': 'EMAEncoder',
    },
    'views, K = 8, colors of both views': {
        **colors,
        'default_hooks.bootstrap.num_stages': 8,
    },
    'pixels and VICReg': joint,
}
