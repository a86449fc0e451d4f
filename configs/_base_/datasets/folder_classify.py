# Your own labeled images in memory: <data_root>/train/<class>/*, <data_root>/test/<class>/*.
_base_ = 'in_memory_classify.py'

data_root = 'data/images'
img_size = 64
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    augment=dict(_delete_=True, type='BatchRandomResizedCrop', size=img_size),
)
train_dataloader = dict(
    dataset=dict(
        img_size=img_size,
        source=dict(type='ImageFolder', data_root=f'{data_root}/train'),
    )
)
val_dataloader = dict(
    dataset=dict(
        img_size=img_size,
        source=dict(type='ImageFolder', data_root=f'{data_root}/test'),
        pipeline=[dict(type='CoverCrop', size=img_size), dict(type='PackInputs')],
    )
)
test_dataloader = val_dataloader
