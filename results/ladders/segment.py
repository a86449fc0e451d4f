"""Which optimizer and rate finetune best for segmentation, on validation images."""

question = (
    'Which optimizer, learning rate and layer decay finetune best for segmentation, '
    'and from which encoder? DeiT-Tiny with UPerNet, 8 epochs, validation images of '
    'CamVid. Unless said otherwise it was pretrained on the training images by '
    'results/configs/bootmae-views_deit-tiny_camvid.py. Rates are for a batch of 8.'
)
config = 'results/configs/camvid_val.py'
benchmark = 'test'
pools = []
figures = ['mIoU', 'mAcc', 'aAcc']
seeds = [0, 1, 2]
pretrained = 'work_dirs/bootmae-views_deit-tiny_camvid/epoch_160.pth'
options = {
    'model.backbone.init_cfg.checkpoint': pretrained,
    'train_cfg.max_epochs': 8,
    'train_dataloader.num_workers': 0,
    'train_dataloader.persistent_workers': False,
}
# The optimizer of the config is Muon, without layer decay.
adamw = {
    'optim_wrapper.constructor': 'mmpretrain.LayerDecayConstructor',
    'optim_wrapper.optimizer._delete_': True,
    'optim_wrapper.optimizer.type': 'AdamW',
    'optim_wrapper.optimizer.lr': 1.5e-3,
    'optim_wrapper.optimizer.weight_decay': 0.05,
    'optim_wrapper.optimizer.fused': True,
    'optim_wrapper.paramwise_cfg.layer_decay_rate': 0.9,
}
rate = 'optim_wrapper.optimizer.lr'
# Other images (CIFAR-10), other patches (4 pixels, resampled to 8).
cifar = {
    'model.backbone.init_cfg.checkpoint': (
        'bootmae_plugin://bootmae-views_deit-tiny_cifar10'
    ),
    'model.backbone.init_cfg.resample_patches': True,
}
random = {'model.backbone.init_cfg': None}
runs = {
    'AdamW 1.5e-3, layer decay .9': adamw,
    'AdamW 1.5e-3, layer decay .9, from the 192-d encoder of CIFAR-10': {
        **adamw,
        **cifar,
    },
    'Muon 1.5e-3, layer decay 1': {},
    'Muon 1.5e-3, layer decay 1, from the 192-d encoder of CIFAR-10': cifar,
    'Muon 4e-3, layer decay 1': {rate: 4e-3},
    'AdamW 1.5e-3 from random weights': {**adamw, **random},
    'Muon 1.5e-3 from random weights': random,
    'Muon 6e-4 from random weights': {**random, rate: 6e-4},
    'Muon 4e-3 from random weights': {**random, rate: 4e-3},
    'AdamW 1.5e-3, layer decay 1, from random weights': {
        **adamw,
        **random,
        'optim_wrapper.paramwise_cfg.layer_decay_rate': 1.0,
    },
}
