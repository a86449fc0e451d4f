"""Cheaper steps: what the same time brings with less decoding and shared teachers."""

question = (
    'A cheaper step, and more of them in the same time: a CrossMAE decoder of one '
    'block that predicts a third of the masked patches, and two masks for each teacher '
    'pass. 48-d encoder, float32; each run takes the time of 8 epochs of the default '
    'with K = 4.'
)
config = 'results/configs/views_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
options = {
    'train_dataloader.batch_size': 256,
    'model.neck.pixel.type': 'CrossMAEDecoder',
    'model.neck.pixel.depth': 1,
    'model.neck.pixel.predict_ratio': 0.33,
}
colors = {'data_preprocessor.color.type': 'BatchColorJitter'}
runs = {
    # Each epoch has two masks an image: 256 masked views in a step, as in the others.
    'views, K = 4, two masks': {
        **colors,
        'model.masks_per_image': 2,
        'train_dataloader.batch_size': 128,
        'auto_scale_lr.base_batch_size': 128,
        'train_cfg.max_epochs': 8,
    },
    'pixels alone': {
        'default_hooks.bootstrap.num_stages': 1,
        'train_cfg.max_epochs': 22,
    },
    'views, K = 4, one mask': {**colors, 'train_cfg.max_epochs': 12},
    'pixels alone, mask ratio .85': {
        'default_hooks.bootstrap.num_stages': 1,
        'model.masking.mask_ratio': 0.85,
        'model.neck.pixel.predict_ratio': 0.3,
        'train_cfg.max_epochs': 28,
    },
}
