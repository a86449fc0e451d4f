# scikit-learn's digits, enlarged to 32x32: 1,437 training images. Nothing to download.
# No flip: a mirrored digit is not a digit.
_base_ = 'in_memory_selfsup.py'

data_preprocessor = dict(
    mean=[77.0, 77.0, 77.0],
    std=[88.0, 88.0, 88.0],
    augment=dict(scale=(0.6, 1.0), flip_prob=0.0),
)
train_dataloader = dict(dataset=dict(source=dict(type='Digits', split='train')))
