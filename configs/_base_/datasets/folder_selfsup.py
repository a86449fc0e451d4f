# Your own unlabeled images in memory: every image below data_root, resized to img_size.
_base_ = 'in_memory_selfsup.py'

data_root = 'data/images'
img_size = 64
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    augment=dict(size=img_size),
)
train_dataloader = dict(
    dataset=dict(
        img_size=img_size,
        source=dict(
            type='ImageFolder', data_root=data_root, ann_file='', with_label=False
        ),
    )
)
