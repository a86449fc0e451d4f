"""View stages by a moving average: its decay, the batch and the crops."""

question = (
    'What makes a moving average a better teacher? The config of the 48-d encoder '
    '(after a quarter of the epochs one view stage, masks of a quarter without pixels, '
    'a decay of .999 for 64 images), 8 epochs, batch 64 unless said otherwise.'
)
config = 'results/configs/views-ema_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1, 2]
batch = 'train_dataloader.batch_size'
options = {'train_cfg.max_epochs': 8, batch: 64}
teacher = 'model.target_generator'
# Without any of it: the run of batch.py with a moving average as teacher. The config of
# the 48-d encoder has the crops now; average_large.py goes on from it.
runs = {
    'decay .99': {f'{teacher}.decay': 0.99},
    # The rate follows the batch in both; the decay does in the first one.
    'batch 256': {batch: 256},
    'batch 256, decay .999 of each step': {
        batch: 256,
        f'{teacher}.base_batch_size': None,
    },
    # The teacher keeps the crops of .2 to 1, as in crops.py.
    'crops of .6 to 1 in the view stage': {
        'data_preprocessor.augment.scale': [[0.2, 1.0], [0.6, 1.0]],
    },
}
