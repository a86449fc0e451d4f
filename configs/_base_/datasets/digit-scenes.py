# The bundled segmentation set: 400 training and 100 test scenes of two digits, 64x32, with
# 11 classes: background and 10 digits. Whole images in training and evaluation.
# Make it with: python tools/prepare_data.py digit-scenes
data_root = 'data/digit-scenes'
classes = ['background', *'0123456789']
palette = [
    [0, 0, 0], [230, 25, 75], [60, 180, 75], [255, 225, 25], [0, 130, 200],
    [245, 130, 48], [145, 30, 180], [70, 240, 240], [240, 50, 230], [210, 245, 60],
    [250, 190, 212],
]  # fmt: skip
data_preprocessor = dict(
    type='SegDataPreProcessor',
    mean=[77.0, 77.0, 77.0],
    std=[88.0, 88.0, 88.0],
    bgr_to_rgb=True,
    size=(32, 64),
    seg_pad_val=255,
)
dataset = dict(
    type='SegFolder',
    data_root=data_root,
    img_suffix='.png',
    seg_map_suffix='.png',
    classes=classes,
    palette=palette,
    ignore_index=255,
)
test_pipeline = [  # mmseg.apis.inference_model needs this name
    dict(type='LoadImageFromFile'),
    dict(type='LoadAnnotations'),
    dict(type='PackSegInputs'),
]
train_dataloader = dict(
    batch_size=8,
    num_workers=2,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        split='train',
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='PackSegInputs'),
        ],
        **dataset,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=2,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        split='test',
        pipeline=test_pipeline,
        **dataset,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='ClassIoU', ignore_index=255)
test_evaluator = val_evaluator
