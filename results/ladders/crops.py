"""Which crops in view stages: those of the pixels, or nearer to the whole image?"""

question = (
    'Should the student of a view stage see crops nearer to the whole image? The '
    'config of the 48-d encoder (K = 4, masks of a quarter without pixels after stage '
    '1), batch 64, 8 epochs. Its crops have .2 to 1 of the area, and so have those of '
    'the teacher here.'
)
config = 'configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1, 2]
options = {
    'train_dataloader.batch_size': 64,
    'train_cfg.max_epochs': 8,
    'data_preprocessor.second_view.type': 'BatchRandomResizedCrop',
    'data_preprocessor.second_view.size': 32,
    'data_preprocessor.second_view.scale': [0.2, 1.0],
}
scale = 'data_preprocessor.augment.scale'
usual, near = [0.2, 1.0], [0.6, 1.0]
# Without them: the third run of batch.py.
runs = {
    'crops of .6 to 1 in the view stages': {scale: [usual, near]},
    'crops of .6 to 1 in the last stage': {scale: [usual, usual, usual, near]},
}
