# Your own unlabeled images in tar shards, read as streams: any number, also from a URL.
_base_ = 'folder_pipeline_selfsup.py'

data_root = 'data/shards/train'
img_size = 64
workers = 4  # each reads its own shards
train_dataloader = dict(
    num_workers=workers,
    drop_last=False,  # ShardBatches makes the batches
    batch_sampler=dict(type='ShardBatches', streams=workers),
    dataset=dict(
        _delete_=True,
        type='WebDatasetShards',
        data_root=data_root,
        pipeline=[
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
