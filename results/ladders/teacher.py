"""Three view stages or a moving average, in twice the epochs of batch.py."""

question = (
    'Three view stages, or one whose teacher is a moving average, in a longer '
    'training? The config of the 48-d encoder (K = 4, masks of a quarter without '
    'pixels after stage 1), batch 64, 16 epochs, of which the first four predict the '
    'pixels.'
)
config = 'configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1, 2]
options = {'train_dataloader.batch_size': 64, 'train_cfg.max_epochs': 16}
runs = {
    'three view stages': {},
    'a moving average': {
        'default_hooks.bootstrap.num_stages': 2,
        'default_hooks.bootstrap.boundaries': [4],
        'model.target_generator.type': 'EMAEncoder',
    },
}
