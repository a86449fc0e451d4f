"""One more view stage of the shipped encoder: which masks, and pixels or not."""

question = (
    'One more view stage of 2 epochs, from the shipped 48-d encoder: mask three '
    'quarters and keep the pixels, or mask a quarter without them? Batch 256, colors '
    'of both views.'
)
config = 'bootmae-views_deit-tiny-d48_cifar10'
benchmark = 'configs/benchmarks/linear/deit-tiny-d48_cifar10.py'
pools = ['avg', 'flatten64']
seeds = [0, 1, 2]
options = {
    'model.backbone.init_cfg.type': 'Pretrained',
    'model.backbone.init_cfg.checkpoint': (
        'bootmae_plugin://bootmae-views_deit-tiny-d48_cifar10'
    ),
    'model.head.view.first_stage': 1,
    'default_hooks.bootstrap.num_stages': 1,
    'train_cfg.max_epochs': 2,
    'train_dataloader.batch_size': 256,
    'data_preprocessor.color.type': 'BatchColorJitter',
}
runs = {
    'masks of a quarter, no pixels': {
        'model.masking.mask_ratio': 0.25,
        'model.head.pixel': None,
        'find_unused_parameters': False,
    },
    'masks of three quarters, pixels': {},
}
