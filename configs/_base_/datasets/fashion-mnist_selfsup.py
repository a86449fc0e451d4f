# Fashion-MNIST, 60,000 images resized to 32x32; tools/prepare_data.py fashion-mnist.
_base_ = 'cifar10_selfsup.py'

data_preprocessor = dict(mean=[72.9, 72.9, 72.9], std=[90.0, 90.0, 90.0])
train_dataloader = dict(
    dataset=dict(
        source=dict(
            _delete_=True,
            type='FashionMNIST',
            data_root='data/fashion-mnist',
            split='train',
        )
    )
)
