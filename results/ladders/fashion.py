"""Three view stages or a moving average, on other images and in fewer steps."""

question = (
    'Three view stages, or one whose teacher is a moving average, on other images and '
    'in fewer steps? The encoder of the quickstart (64-d, 6 blocks, pixels kept; '
    '10,000 images of Fashion-MNIST, batch 128), 36 epochs = 2,808 steps, of which the '
    'first nine epochs predict the pixels alone.'
)
config = 'configs/selfsup/bootmae-views_deit-micro-p7_fashion-mnist-12k.py'
benchmark = 'configs/benchmarks/linear/deit-micro-p7_fashion-mnist-12k.py'
pools = ['avg', 'flatten16']
seeds = [0, 1]
hook = 'default_hooks.bootstrap'
options = {'train_cfg.max_epochs': 36}
average = {
    f'{hook}.num_stages': 2,
    f'{hook}.boundaries': [9],
    'model.target_generator.type': 'EMAEncoder',
}
crops = {
    'data_preprocessor.augment.scale': [[0.4, 1.0], [0.6, 1.0]],
    'data_preprocessor.second_view.type': 'BatchRandomResizedCrop',
    'data_preprocessor.second_view.size': 28,
    'data_preprocessor.second_view.scale': [0.4, 1.0],
}
runs = {
    'three view stages': {f'{hook}.num_stages': 4},
    'a moving average, .999': average,
    'a moving average, .99': {**average, 'model.target_generator.decay': 0.99},
    'a moving average, .999, crops of .6 to 1 for the student': {**average, **crops},
    'a moving average, .999, without pixels after them': {
        **average,
        'model.head.pixel.last_stage': 1,
    },
    'pixels alone': {f'{hook}.num_stages': 1},
}
