"""One more view stage of an encoder: which masks, and pixels or not."""

question = (
    'One more view stage of 4 epochs, from the 48-d encoder of 24 epochs: mask '
    'three quarters and keep the pixels, or mask less without them? Colors of both '
    'views.'
)
config = 'results/configs/views_d48.py'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0]
# The encoder in the wheel until 2026-11-28, of 24 epochs (docs/results.md, Longer):
#   git show 922afaf:weights/bootmae-views_deit-tiny-d48_cifar10.safetensors > FILE
encoder = 'work_dirs/study/encoder_24-epochs.safetensors'
options = {
    'model.backbone.init_cfg.type': 'Pretrained',
    'model.backbone.init_cfg.checkpoint': encoder,
    'model.head.view.first_stage': 1,
    'default_hooks.bootstrap.num_stages': 1,
    'train_cfg.max_epochs': 4,
    'data_preprocessor.color.type': 'BatchColorJitter',
}
no_pixels = {'model.head.pixel': None, 'find_unused_parameters': False}
runs = {
    'masks of a quarter, no pixels': {**no_pixels, 'model.masking.mask_ratio': 0.25},
    # Crops nearer to the whole image, which the evaluation sees; the teacher keeps the
    # crops that it was trained on.
    'masks of a quarter, no pixels, crops of .6 to 1': {
        **no_pixels,
        'model.masking.mask_ratio': 0.25,
        'data_preprocessor.augment.scale': [0.6, 1.0],
        'data_preprocessor.second_view.type': 'BatchRandomResizedCrop',
        'data_preprocessor.second_view.size': 32,
        'data_preprocessor.second_view.scale': [0.2, 1.0],
    },
    'masks of half, no pixels': {**no_pixels, 'model.masking.mask_ratio': 0.5},
    'masks of three quarters, pixels': {},
    'masks of a quarter, no pixels, half the rate': {
        **no_pixels,
        'model.masking.mask_ratio': 0.25,
        'auto_scale_lr.base_batch_size': 1024,
    },
}
