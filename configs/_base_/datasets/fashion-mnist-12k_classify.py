# The bundled part of Fashion-MNIST with labels: 10,000 training images, evaluated on 2,000.
_base_ = 'in_memory_classify.py'

img_size = 28
data_preprocessor = dict(
    mean=[72.9, 72.9, 72.9],
    std=[90.0, 90.0, 90.0],
    augment=dict(size=img_size, padding=2),
)
train_dataloader = dict(
    dataset=dict(img_size=img_size, source=dict(type='FashionMNIST12k', split='train'))
)
val_dataloader = dict(
    dataset=dict(
        img_size=img_size,
        source=dict(type='FashionMNIST12k', split='test'),
        pipeline=[dict(type='CoverCrop', size=img_size), dict(type='PackInputs')],
    )
)
test_dataloader = val_dataloader
