# Fashion-MNIST with labels: train on 60,000 images, evaluate on the 10,000 test ones.
_base_ = 'cifar10_classify.py'

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
val_dataloader = dict(
    dataset=dict(
        source=dict(
            _delete_=True,
            type='FashionMNIST',
            data_root='data/fashion-mnist',
            split='test',
            test_mode=True,  # which mmpretrain's class goes by, not by the split
        )
    )
)
test_dataloader = val_dataloader
