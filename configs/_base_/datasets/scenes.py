# Your own scenes and their label maps, which the table <data_root>/labels.csv lists: the
# columns are path, label (the file of the label map) and split (train or val). bootmae
# segment writes it. Random crops in training, whole images in evaluation.
_base_ = 'digit-scenes.py'

data_root = 'data/scenes'
classes = ['background', 'foreground']
values = [0, 255]  # of the classes in the label maps
scale = (256, 192)  # width and height to which scenes are resized in training, about
crop_size = (96, 96)
ignore_index = 255
data_preprocessor = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    size=crop_size,
    seg_pad_val=ignore_index,
)
dataset = dict(
    _delete_=True,
    type='SegTable',
    table=f'{data_root}/labels.csv',
    classes=classes,
    values=values,
    ignore_index=ignore_index,
)
load = [dict(type='LoadImageFromFile'), dict(type='LoadAnnotations')]
train_dataloader = dict(
    dataset=dict(
        split='train',
        pipeline=[
            *load,
            dict(
                type='RandomResize',
                scale=scale,
                ratio_range=(0.75, 1.75),
                keep_ratio=True,
            ),
            dict(
                type='RandomCrop',
                crop_size=crop_size,
                cat_max_ratio=0.75,
                ignore_index=ignore_index,
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PhotoMetricDistortion'),
            dict(type='PackSegInputs'),
        ],
        **dataset,
    ),
)
val_dataloader = dict(
    dataset=dict(split='val', pipeline=[*load, dict(type='PackSegInputs')], **dataset),
)
test_dataloader = val_dataloader
val_evaluator = dict(ignore_index=ignore_index)
test_evaluator = val_evaluator
