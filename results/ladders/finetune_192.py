"""Does the 192-d encoder finetune better by the recipe of the 48-d one?"""

question = (
    'Does the 192-d encoder finetune better by the recipe of the 48-d one (the first '
    'row) or by that of large encoders (the second)? The encoder of 8 epochs on nine '
    'tenths of the training images of CIFAR-10, batch 128, 2 epochs with half of the '
    'patches, without mixup and cutmix. Rates are those of the steps.'
)
config = 'results/configs/fold_192.py'
benchmark = 'test'
pools = []
seeds = [0]
options = {
    'model.backbone.init_cfg.checkpoint': (
        'bootmae_plugin://bootmae-views_deit-tiny_cifar10'
    ),
    'model.backbone.patch_drop_rate': 0.5,
    'train_cfg.max_epochs': 2,
    'train_cfg.val_interval': 2,
    'train_dataloader.batch_size': 128,
    'data_preprocessor.batch_augments': None,
}
large = {
    'model.backbone.drop_path_rate': 0.1,
    'optim_wrapper.constructor': 'LayerDecayConstructor',
    'optim_wrapper.paramwise_cfg.layer_decay_rate': 0.75,
    'optim_wrapper.optimizer._delete_': True,
    'optim_wrapper.optimizer.type': 'AdamW',
    'optim_wrapper.optimizer.betas': [0.9, 0.999],
    'optim_wrapper.optimizer.weight_decay': 0.05,
    'optim_wrapper.optimizer.fused': True,
}
rate = 'optim_wrapper.optimizer.lr'
decay = 'optim_wrapper.paramwise_cfg.layer_decay_rate'
runs = {
    'Muon 5e-3, no layer decay, no drop path': {},
    # 1e-3 for 512, in proportion.
    'AdamW 2.5e-4, layer decay .75, drop path .1': {**large, rate: 2.5e-4},
    'AdamW 2e-3, layer decay .75, drop path .1': {**large, rate: 2e-3},
    'Muon 5e-3, layer decay .75, no drop path': {decay: 0.75},
    'Muon 2.5e-3, no layer decay, no drop path': {rate: 2.5e-3},
    'Muon 1.25e-3, no layer decay, no drop path': {rate: 1.25e-3},
    'Muon 5e-3 from random weights': {'model.backbone.init_cfg': None},
}
