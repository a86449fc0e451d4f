# scikit-learn's digits with labels: 1,437 training images, evaluated on 360.
_base_ = 'in_memory_classify.py'

data_preprocessor = dict(
    mean=[77.0, 77.0, 77.0],
    std=[88.0, 88.0, 88.0],
    augment=dict(padding=2, flip_prob=0.0),
)
train_dataloader = dict(dataset=dict(source=dict(type='Digits', split='train')))
val_dataloader = dict(dataset=dict(source=dict(type='Digits', split='test')))
test_dataloader = val_dataloader
