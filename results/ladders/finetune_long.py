"""What regularizes a longer finetuning, at equal time."""

question = (
    'What regularizes a longer finetuning? The 48-d encoder of 24 epochs on nine '
    'tenths of the training images of CIFAR-10, batch 128, by the recipe of its '
    'config; about the same time each, with random weights that of the pretraining '
    'as well.'
)
config = 'results/configs/fold.py'
benchmark = 'test'
pools = []
seeds = [0]
# The encoder in the wheel until 2026-11-28, of 24 epochs (docs/results.md, Longer):
#   git show 922afaf:weights/bootmae-views_deit-tiny-d48_cifar10.safetensors > FILE
encoder = 'work_dirs/study/encoder_24-epochs.safetensors'
options = {
    'model.backbone.init_cfg.checkpoint': encoder,
    'train_cfg.max_epochs': 20,
    'train_cfg.val_interval': 10,
    'train_dataloader.batch_size': 128,
}
alone = {'data_preprocessor.batch_augments': None}
half = {'model.backbone.patch_drop_rate': 0.5, 'train_cfg.max_epochs': 40}
runs = {
    'half of the patches': {**alone, **half},
    # From its last checkpoint: it saw half of the patches, but is tested with all.
    'half of the patches, then four epochs of all': {
        **alone,
        'load_from': (
            'work_dirs/study/finetune_long/half-of-the-patches_seed0/epoch_40.pth'
        ),
        'train_cfg.max_epochs': 4,
        'optim_wrapper.optimizer.lr': 5e-4,
    },
    'half of the patches, mixup and cutmix': half,
    'all patches': alone,
    # The time of the pretraining, too: 1.8 core-hours, 30 epochs of all patches.
    'half of the patches, from random weights, 100 epochs': {
        **alone,
        **half,
        'model.backbone.init_cfg': None,
        'train_cfg.max_epochs': 100,
    },
}
