"""How many view stages, against one-stage methods, at equal time."""

question = (
    'How many view stages, and what do one-stage methods reach in the same time? 48-d '
    'encoder, batch 256, colors of both views; 32 epochs, 48 of the pixels alone, '
    'without a teacher, and 24 of the methods that encode both views.'
)
config = 'results/configs/views_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {
    'train_cfg.max_epochs': 32,
    'train_dataloader.batch_size': 256,
    'data_preprocessor.color.type': 'BatchColorJitter',
}
runs = {
    'views, K = 4': {},
    'views, K = 16': {'default_hooks.bootstrap.num_stages': 16},
    'pixels alone': {
        'default_hooks.bootstrap.num_stages': 1,
        'data_preprocessor.color': None,
        'train_cfg.max_epochs': 48,
    },
    'views, K = 8': {'default_hooks.bootstrap.num_stages': 8},
    'views, K = 2': {'default_hooks.bootstrap.num_stages': 2},
    'views, moving average': {
        'model.target_generator.type': 'EMAEncoder',
        'default_hooks.bootstrap.num_stages': 2,
        'default_hooks.bootstrap.boundaries': [0.125],
    },
    'pixels and SimCLR': {
        'config': 'mae-joint_deit-tiny-d48_cifar10',
        'model.head.view.loss': 'simclr',
        'model.head.view.loss_weight': 0.1,
        'train_cfg.max_epochs': 24,
    },
    'pixels and VICReg': {
        'config': 'mae-joint_deit-tiny-d48_cifar10',
        'train_cfg.max_epochs': 24,
    },
}
