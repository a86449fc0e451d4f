"""View stages by a moving average with crops of .6 to 1: pixels first, decay, rate."""

question = (
    'A moving average as teacher and crops of .6 to 1 for the student: for how many '
    'epochs should a run predict the pixels before, and which decay, rate and crops '
    'of the teacher? The config of the 48-d encoder (a quarter of the epochs, .999 '
    'for 64 images, .2 to 1), 8 epochs, batch 64.'
)
config = 'configs/selfsup/bootmae-views-ema_deit-tiny-d48_cifar10.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1]
options = {'train_cfg.max_epochs': 8, 'train_dataloader.batch_size': 64}
boundaries = 'default_hooks.bootstrap.boundaries'
decay = 'model.target_generator.decay'
# Without any of it: the run of average.py with crops of .6 to 1.
runs = {
    'one epoch of pixels': {boundaries: [1]},
    'four epochs of pixels': {boundaries: [4]},
    'decay .9997': {decay: 0.9997},
    'decay from .999 to .9999, linear': {decay: [[2, 0.999], [8, 0.9999]]},
    'crops of .6 to 1 for the teacher, too': {
        'data_preprocessor.second_view.scale': [0.6, 1.0],
    },
    'twice the rate': {'optim_wrapper.optimizer.lr': 0.015},
    'batch 32': {'train_dataloader.batch_size': 32},
    'weak directions amplified less': {'model.head.view.shrinkage': 0.1},
}
