# Unlabeled images in memory. The preprocessor crops and flips a whole batch at once.
# A config that inherits this adds the images (`source`) and their mean and std.
img_size = 32  # pixels; every image is resized to it when it is loaded
data_preprocessor = dict(
    type='BatchDataPreprocessor',
    augment=dict(type='BatchRandomResizedCrop', size=img_size, scale=(0.2, 1.0)),
)
train_dataloader = dict(
    batch_size=64,  # per process; 8 processes have 512
    num_workers=0,  # a batch is one indexing operation
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='whole_batch'),
    dataset=dict(type='InMemoryImages', img_size=img_size, with_label=False),
)
