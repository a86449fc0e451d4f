# CIFAR-10's 50,000 training images. data_root holds the official pickles, which are
# downloaded if they are missing, or the image folder that tools/prepare_data.py writes.
_base_ = 'in_memory_selfsup.py'

data_root = 'data/cifar10'
data_preprocessor = dict(
    mean=[125.307, 122.961, 113.8575], std=[51.5865, 50.847, 51.255]
)
train_dataloader = dict(
    dataset=dict(source=dict(type='CIFAR10Copy', data_root=data_root, split='train'))
)
