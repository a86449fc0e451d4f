# Fashion-MNIST's 60,000 training images, resized to 32x32.
# Get them with: python tools/prepare_data.py fashion-mnist
_base_ = 'in_memory_selfsup.py'

data_root = 'data/fashion-mnist'
data_preprocessor = dict(mean=[72.9, 72.9, 72.9], std=[90.0, 90.0, 90.0])
train_dataloader = dict(
    dataset=dict(source=dict(type='FashionMNIST', data_root=data_root, split='train'))
)
