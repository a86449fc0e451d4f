# The bundled part of Fashion-MNIST: 10,000 training images, 28x28. Nothing to download.
_base_ = 'in_memory_selfsup.py'

img_size = 28
data_preprocessor = dict(
    mean=[72.9, 72.9, 72.9],
    std=[90.0, 90.0, 90.0],
    augment=dict(size=img_size),
)
train_dataloader = dict(
    dataset=dict(img_size=img_size, source=dict(type='FashionMNIST12k', split='train'))
)
