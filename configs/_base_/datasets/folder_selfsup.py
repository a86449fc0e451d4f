# Your own images in memory (64x64, whatever size they have on disk).
_base_ = 'cifar10_selfsup.py'

data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    augment=dict(size=64),
)
train_dataloader = dict(
    dataset=dict(
        img_size=64,
        source=dict(
            _delete_=True,
            type='ImageFolder',
            data_root='data/images',
            ann_file='',
            with_label=False,
        ),
    )
)
