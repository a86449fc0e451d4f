# CIFAR-10 with labels: train on 50,000 images, evaluate on the test set as it is.
data_root = 'data/cifar10'
data_preprocessor = dict(
    type='BatchDataPreprocessor',
    num_classes=10,
    mean=[125.307, 122.961, 113.8575],
    std=[51.5865, 50.847, 51.255],
    augment=dict(type='BatchPadCrop', size=32, padding=4),
)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='InMemoryImages',
        img_size=32,
        source=dict(type='CIFAR10Copy', data_root=data_root, split='train'),
    ),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='InMemoryImages',
        img_size=32,
        source=dict(type='CIFAR10Copy', data_root=data_root, split='test'),
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
