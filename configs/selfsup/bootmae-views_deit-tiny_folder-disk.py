# Bootstrapped MAE with view stages (K = 4) of DeiT-Tiny (192-d, patch 8) on your own images,
# read from disk in every epoch: any number of images, no labels needed. Set data_root, and
# img_size (a multiple of 8) if you like. If the images fit into memory at img_size, the config
# bootmae-views_deit-tiny_folder.py loads them faster.
#
#   python tools/prepare_data.py folder --from PHOTOS     # lists the unreadable images
#   bash tools/dist_train.sh configs/selfsup/bootmae-views_deit-tiny_folder-disk.py 8 \
#       --cfg-options data_root=PHOTOS
#
# Unreadable images stop the run. To leave them out, prepare with --skip-bad and set
# train_dataloader.dataset.ann_file=data/folder/train.txt.
#
# Cost: 0.93 GFLOP per image in stage 1, 1.67 in stages 2 to 4 (tools/cost.py).
# Result: it depends on your images; docs/results.md compares the recipe on CIFAR-10.
_base_ = [
    '../_base_/models/bootmae-views_deit-tiny.py',
    '../_base_/datasets/folder_pipeline_selfsup.py',
    '../_base_/schedules/pretrain-muon_200e.py',
    '../_base_/default_runtime.py',
]
data_root = 'data/images'
img_size = 64

model = dict(backbone=dict(img_size=img_size, patch_size=8))
view = [
    dict(
        type='RandomResizedCrop',
        scale=img_size,
        crop_ratio_range=(0.2, 1.0),
        backend='pillow',
        interpolation='bicubic',
    ),
    dict(type='RandomFlip', prob=0.5),
    # As BatchColorJitter in memory: SimCLR's values for CIFAR-10, without hue.
    dict(
        type='RandomApply',
        transforms=[
            dict(
                type='ColorJitter',
                brightness=0.4,
                contrast=0.4,
                saturation=0.4,
                backend='pillow',
            )
        ],
        prob=0.8,
    ),
    dict(type='RandomGrayscale', prob=0.2, keep_channels=True),
]
train_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='MultiView', num_views=2, transforms=[view]),
            dict(type='PackInputs'),
        ],
    )
)
default_hooks = dict(bootstrap=dict(type='BootstrapHook', num_stages=4))
