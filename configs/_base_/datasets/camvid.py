# CamVid's street scenes at 240x180 with 11 classes; label 11 (void) is ignored. Random
# 128x128 crops in training, whole images in evaluation.
# Get it with: python tools/prepare_data.py camvid --from camvid-240x180.tar
_base_ = 'digit-scenes.py'

data_root = 'data/camvid'
crop_size = (128, 128)
void = 11
classes = [
    'sky', 'building', 'pole', 'road', 'pavement', 'tree', 'sign symbol', 'fence', 'car',
    'pedestrian', 'bicyclist',
]  # fmt: skip
palette = [
    [128, 128, 128], [128, 0, 0], [192, 192, 128], [128, 64, 128], [60, 40, 222],
    [128, 128, 0], [192, 128, 128], [64, 64, 128], [64, 0, 128], [64, 64, 0],
    [0, 128, 192],
]  # fmt: skip
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    size=crop_size,
    seg_pad_val=void,
)
dataset = dict(
    data_root=data_root,
    img_suffix='.jpg',
    classes=classes,
    palette=palette,
    ignore_index=void,
)
train_dataloader = dict(
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(
                type='RandomResize',
                scale=(240, 180),
                ratio_range=(0.75, 1.75),
                keep_ratio=True,
            ),
            dict(
                type='RandomCrop',
                crop_size=crop_size,
                cat_max_ratio=0.75,
                ignore_index=void,
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
        **dataset,
    ),
)
val_dataloader = dict(dataset=dict(split='val', **dataset))
test_dataloader = dict(dataset=dict(split='test', **dataset))
val_evaluator = dict(ignore_index=void)
test_evaluator = val_evaluator
