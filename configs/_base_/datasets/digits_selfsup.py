# The bundled demo set: 1,437 digits, 32x32. Digits are not mirrored.
_base_ = 'cifar10_selfsup.py'

data_preprocessor = dict(
    mean=[77.0, 77.0, 77.0],
    std=[88.0, 88.0, 88.0],
    augment=dict(scale=(0.6, 1.0), flip_prob=0.0),
)
train_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='Digits', split='train'))
)
