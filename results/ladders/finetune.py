"""Which optimizer, learning rate and layer decay finetune best."""

question = (
    'Which optimizer, learning rate and layer decay finetune best? The 48-d '
    'encoder of 24 epochs on nine tenths of the training images of CIFAR-10, batch '
    '128, 5 epochs '
    '(9 with half of the patches and 16 with a quarter, which take about the same '
    'time), without mixup and cutmix. Rates are for a batch of 512.'
)
config = 'results/configs/finetune_fold.py'
benchmark = 'test'
pools = []
seeds = [0]
# The encoder in the wheel until 2026-11-28, of 24 epochs (docs/results.md, Longer):
#   git show 922afaf:weights/bootmae-views_deit-tiny-d48_cifar10.safetensors > FILE
encoder = 'work_dirs/study/encoder_24-epochs.safetensors'
options = {
    'model.backbone.init_cfg.checkpoint': encoder,
    'train_cfg.max_epochs': 5,
    'train_cfg.val_interval': 5,
    'train_dataloader.batch_size': 128,
    'data_preprocessor.batch_augments': None,
}
lr = 'optim_wrapper.optimizer.lr'
decay = 'optim_wrapper.paramwise_cfg.layer_decay_rate'
drop_path = 'model.backbone.drop_path_rate'
patch_drop, epochs = 'model.backbone.patch_drop_rate', 'train_cfg.max_epochs'
muon = {'config': 'results/configs/finetune_fold-muon.py'}
runs = {
    'AdamW 1e-3, layer decay .75': {lr: 1e-3},
    'AdamW 8e-3, layer decay .75': {},
    'Muon 8e-3, layer decay .75': {**muon},
    'Muon 8e-3, layer decay 1': {**muon, decay: 1.0},
    'AdamW 8e-3, layer decay 1': {decay: 1.0},
    'Muon 8e-3, layer decay 1, no drop path': {
        **muon,
        decay: 1.0,
        drop_path: 0.0,
    },
    # Fewer patches, for about the same time.
    'Muon 8e-3, layer decay 1, no drop path, half of the patches': {
        **muon,
        decay: 1.0,
        drop_path: 0.0,
        patch_drop: 0.5,
        epochs: 9,
        'train_cfg.val_interval': 9,
    },
    'Muon 8e-3, layer decay 1, no drop path, a quarter of the patches': {
        **muon,
        decay: 1.0,
        drop_path: 0.0,
        patch_drop: 0.75,
        epochs: 16,
        'train_cfg.val_interval': 16,
    },
    'Muon 2e-2, layer decay 1': {**muon, decay: 1.0, lr: 2e-2},
    'Muon 2e-2, layer decay 1, no drop path': {
        **muon,
        decay: 1.0,
        drop_path: 0.0,
        lr: 2e-2,
    },
    'Muon 4e-2, layer decay 1, no drop path': {
        **muon,
        decay: 1.0,
        drop_path: 0.0,
        lr: 4e-2,
    },
    'Muon 8e-3 from random weights': {
        **muon,
        'model.backbone.init_cfg': None,
        decay: 1.0,
    },
}
