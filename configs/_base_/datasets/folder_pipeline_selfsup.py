# Your own images, read from disk by mmpretrain's standard pipeline: any number, any
# size. data_root is a folder, all images below it are used; ann_file, if given, lists
# them (one path relative to data_root a line).
_base_ = 'imagenet_selfsup.py'

train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    dataset=dict(
        _delete_=True,
        type='ImageFolder',
        data_root='data/images',
        ann_file='',
        with_label=False,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='RandomResizedCrop',
                scale=64,
                crop_ratio_range=(0.2, 1.0),
                backend='pillow',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
