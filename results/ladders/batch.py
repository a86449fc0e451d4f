"""Small batches, and view stages that mask little."""

question = (
    'How large a batch in a short pretraining, and do view stages help that mask a '
    'quarter of the patches and leave the pixels out? View stages, K = 4, colors of '
    'both views, 48-d encoder, 8 epochs. Rates are those of the steps.'
)
config = 'results/configs/views_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1, 2]
options = {
    'train_cfg.max_epochs': 8,
    'data_preprocessor.color.type': 'BatchColorJitter',
    'auto_scale_lr.enable': False,
}
batch, lr = 'train_dataloader.batch_size', 'optim_wrapper.optimizer.lr'
stages, starts = (
    f'default_hooks.bootstrap.{name}' for name in ('num_stages', 'boundaries')
)
little = {
    batch: 64,
    lr: 3.75e-3,
    'model.masking.mask_ratio': [0.75, 0.25],
    'model.head.pixel.last_stage': 1,
}
runs = {
    'batch 64, 3.75e-3': {batch: 64, lr: 3.75e-3},
    'batch 64, 3.75e-3, the last stage masks a quarter': {
        batch: 64,
        lr: 3.75e-3,
        'model.masking.mask_ratio': [0.75, 0.75, 0.75, 0.25],
        'model.head.pixel.last_stage': 3,
    },
    'batch 64, 3.75e-3, pixels in the first stage, then masks of a quarter': little,
    'batch 64, 3.75e-3, the same with six short view stages': {
        **little,
        stages: 7,
        starts: [2],
    },
    # Stages are whole epochs: six is the largest number after two epochs of pixels.
    'batch 64, 3.75e-3, the same with one long view stage': {
        **little,
        stages: 2,
        starts: [2],
    },
    'batch 64, 3.75e-3, the same with two view stages': {
        **little,
        stages: 3,
        starts: [2],
    },
    'batch 64, 3.75e-3, the same with a moving average as teacher': {
        **little,
        stages: 2,
        starts: [2],
        'model.target_generator.type': 'EMAEncoder',
    },
    # The opponent without a teacher, in the same time.
    'batch 64, 3.75e-3, pixels alone': {
        batch: 64,
        lr: 3.75e-3,
        stages: 1,
        'data_preprocessor.color': None,
        'train_cfg.max_epochs': 11,
    },
    # The rate of 256 in proportion.
    'batch 64, 1.875e-3': {batch: 64, lr: 1.875e-3},
    'batch 128, 5.3e-3': {batch: 128, lr: 5.3e-3},
    'batch 64, 7.5e-3': {batch: 64, lr: 7.5e-3},
}
