# CIFAR-10 with labels: 50,000 training images, evaluated on the test images.
_base_ = 'in_memory_classify.py'

data_root = 'data/cifar10'
data_preprocessor = dict(
    mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255]
)
train_dataloader = dict(
    dataset=dict(source=dict(type='CIFAR10Copy', data_root=data_root, split='train'))
)
val_dataloader = dict(
    dataset=dict(source=dict(type='CIFAR10Copy', data_root=data_root, split='test'))
)
test_dataloader = val_dataloader
