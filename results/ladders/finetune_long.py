"""What regularizes a longer finetuning, at equal time."""

question = (
    'What regularizes a longer finetuning? The shipped 48-d encoder on nine tenths of '
    'the training images of CIFAR-10, batch 128, by the recipe that won with 5 epochs '
    '(Muon 8e-3, no layer decay, no drop path); about the same time each, with random '
    'weights that of the pretraining as well.'
)
config = 'results/configs/finetune_fold-muon.py'
benchmark = 'test'
pools = []
seeds = [0]
options = {
    'model.backbone.init_cfg.checkpoint': (
        'bootmae_plugin://bootmae-views_deit-tiny-d48_cifar10'
    ),
    'model.backbone.drop_path_rate': 0.0,
    'optim_wrapper.paramwise_cfg.layer_decay_rate': 1.0,
    'train_cfg.max_epochs': 20,
    'train_cfg.val_interval': 10,
    'train_dataloader.batch_size': 128,
}
alone = {'data_preprocessor.batch_augments': None}
half = {'model.backbone.patch_drop_rate': 0.5, 'train_cfg.max_epochs': 40}
runs = {
    'all patches': alone,
    'half of the patches': {**alone, **half},
    'all patches, mixup and cutmix': {},
    # The time of the pretraining, too: 1.8 core-hours, 30 epochs.
    'all patches, from random weights, 50 epochs': {
        **alone,
        'model.backbone.init_cfg': None,
        'train_cfg.max_epochs': 50,
    },
}
