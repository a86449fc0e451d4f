# CIFAR-10, 50,000 images in memory, random resized crop and flip of the whole batch.
# data/cifar10 holds the official pickles (downloaded where nothing is there) or an
# image folder, as tools/prepare_data.py makes it.
data_root = 'data/cifar10'
data_preprocessor = dict(
    type='BatchDataPreprocessor',
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    augment=dict(type='BatchRandomResizedCrop', size=32, scale=(0.2, 1.0)),
)
train_dataloader = dict(
    batch_size=64,  # a process; 8 processes make the 512 of the learning rate
    num_workers=0,  # a batch is one indexing operation
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='InMemoryImages',
        img_size=32,
        with_label=False,
        source=dict(type='CIFAR10Copy', data_root=data_root, split='train'),
    ),
)
