"""What a view stage should predict, and with which predictor."""

question = (
    'What should a view stage predict, and with which predictor? The config of the '
    '48-d encoder (K = 4, masks of a quarter without pixels after stage 1), batch 64, '
    '8 epochs.'
)
config = 'bootmae-views_deit-tiny-d48_cifar10'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {'train_cfg.max_epochs': 8, 'train_dataloader.batch_size': 64}
blocks = 'model.target_generator.blocks'
runs = {
    'blocks 3, 6, 9 and 12': {blocks: [2, 5, 8, 11]},
    'a predictor of two layers of 512': {
        'model.head.view.hidden_layers': 2,
        'model.head.view.hidden_channels': 512,
    },
    'weak directions amplified less': {'model.head.view.shrinkage': 0.1},
}
