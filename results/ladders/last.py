"""The last view stage of a long training: which crops, and which rate?"""

question = (
    'One more view stage of 4 epochs, from the 48-d encoder of 80 epochs: with the '
    'crops of before (.2 to 1 of the image), or nearer to the whole image, and at '
    'which rate? Masks of a quarter, no pixels, colors of both views.'
)
config = 'configs/selfsup/bootmae-views_deit-tiny-d48_cifar10.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1]
# A copy of weights/bootmae-views_deit-tiny-d48_cifar10.safetensors of 2026-11-28:
#   git show 64af765:weights/bootmae-views_deit-tiny-d48_cifar10.safetensors > FILE
encoder = 'work_dirs/study/encoder_80-epochs.safetensors'
options = {
    'model.backbone.init_cfg.type': 'Pretrained',
    'model.backbone.init_cfg.checkpoint': encoder,
    'model.head.view.first_stage': 1,
    'model.head.pixel': None,
    'find_unused_parameters': False,
    'model.masking.mask_ratio': 0.25,
    'default_hooks.bootstrap.num_stages': 1,
    'train_dataloader.batch_size': 64,
    'train_cfg.max_epochs': 4,
}
# The teacher keeps the crops that it was trained on.
teacher = {
    'data_preprocessor.second_view.type': 'BatchRandomResizedCrop',
    'data_preprocessor.second_view.size': 32,
    'data_preprocessor.second_view.scale': [0.2, 1.0],
}
crop = 'data_preprocessor.augment.scale'
runs = {
    'crops of .6 to 1': {**teacher, crop: [0.6, 1.0]},
    'crops of .6 to 1, a quarter of the rate': {
        **teacher,
        crop: [0.6, 1.0],
        'auto_scale_lr.base_batch_size': 4096,
    },
    'crops of .2 to 1': {},
}
