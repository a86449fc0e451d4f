# Labeled images in memory: padded random crop and flip in training, none in evaluation.
# A config that inherits this adds the images (`source`) and their mean and std.
img_size = 32  # pixels; every image is resized to it when it is loaded
data_preprocessor = dict(
    type='BatchDataPreprocessor',
    num_classes=10,
    augment=dict(type='BatchPadCrop', size=img_size, padding=4),
)
train_dataloader = dict(
    batch_size=64,
    num_workers=0,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='InMemoryImages', img_size=img_size),
)
val_dataloader = dict(
    batch_size=250,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(
        type='InMemoryImages',
        img_size=img_size,
        # The same for one image, for mmpretrain's inferencers.
        pipeline=[dict(type='CoverCrop', size=img_size), dict(type='PackInputs')],
    ),
)
val_evaluator = dict(type='Accuracy', topk=(1,))
test_dataloader = val_dataloader
test_evaluator = val_evaluator
