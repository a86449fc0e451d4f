# Your own labelled images in memory: <data_root>/train/<class>/*, .../test/<class>/*.
_base_ = 'cifar10_classify.py'

data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    augment=dict(_delete_=True, type='BatchRandomResizedCrop', size=64),
)
train_dataloader = dict(
    dataset=dict(
        img_size=64,
        source=dict(_delete_=True, type='ImageFolder', data_root='data/images/train'),
    )
)
val_dataloader = dict(
    dataset=dict(
        img_size=64,
        source=dict(_delete_=True, type='ImageFolder', data_root='data/images/test'),
    )
)
test_dataloader = val_dataloader
