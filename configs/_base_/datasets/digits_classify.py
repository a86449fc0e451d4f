# The bundled demo set with labels: train on 1,437 digits, evaluate on 360.
_base_ = 'cifar10_classify.py'

data_preprocessor = dict(
    mean=[77.0, 77.0, 77.0],
    std=[88.0, 88.0, 88.0],
    augment=dict(padding=2, flip_prob=0.0),
)
train_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='Digits', split='train'))
)
val_dataloader = dict(
    dataset=dict(source=dict(_delete_=True, type='Digits', split='test'))
)
test_dataloader = val_dataloader
