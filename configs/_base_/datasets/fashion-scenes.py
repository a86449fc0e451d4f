# Cluttered scenes of the bundled Fashion-MNIST's garments: 200 training and 100 test scenes,
# 56x56, with 11 classes. Random 28x28 crops in training, whole images in evaluation.
# Make them with: python tools/prepare_data.py fashion-scenes
_base_ = 'digit-scenes.py'

data_root = 'data/fashion-scenes'
crop_size = (28, 28)
classes = [
    'background', 't-shirt', 'trouser', 'pullover', 'dress', 'coat', 'sandal', 'shirt',
    'sneaker', 'bag', 'ankle-boot',
]  # fmt: skip
data_preprocessor = dict(
    mean=[72.9, 72.9, 72.9], std=[90.0, 90.0, 90.0], size=crop_size
)
dataset = dict(data_root=data_root, classes=classes)
train_dataloader = dict(
    batch_size=32,
    num_workers=0,
    persistent_workers=False,
    dataset=dict(
        pipeline=[
            dict(type='LoadImageFromFile'),
            dict(type='LoadAnnotations'),
            dict(type='RandomCrop', crop_size=crop_size),
            dict(type='RandomFlip', prob=0.5),
            dict(type='PackSegInputs'),
        ],
        **dataset,
    ),
)
val_dataloader = dict(
    batch_size=25, num_workers=0, persistent_workers=False, dataset=dataset
)
test_dataloader = val_dataloader
