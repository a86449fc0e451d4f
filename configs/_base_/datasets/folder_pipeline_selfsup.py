# Your own unlabeled images, read from disk by mmpretrain's standard pipeline: any number,
# any size. Every image below data_root is used; or only those that ann_file lists, one
# path relative to data_root per line.
_base_ = 'imagenet_selfsup.py'

data_root = 'data/images'
img_size = 64
train_dataloader = dict(
    batch_size=64,
    num_workers=4,
    dataset=dict(
        _delete_=True,
        type='ImageFolder',
        data_root=data_root,
        ann_file='',
        with_label=False,
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(
                type='RandomResizedCrop',
                scale=img_size,
                crop_ratio_range=(0.2, 1.0),
                backend='pillow',
                interpolation='bicubic',
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackInputs'),
        ],
    ),
)
