# Fashion-MNIST with labels: 60,000 training images, evaluated on the 10,000 test images.
_base_ = 'in_memory_classify.py'

data_root = 'data/fashion-mnist'
data_preprocessor = dict(mean=[72.9, 72.9, 72.9], std=[90.0, 90.0, 90.0])
train_dataloader = dict(
    dataset=dict(source=dict(type='FashionMNIST', data_root=data_root, split='train'))
)
val_dataloader = dict(
    dataset=dict(
        source=dict(
            type='FashionMNIST',
            data_root=data_root,
            split='test',
            test_mode=True,  # mmpretrain's FashionMNIST obeys this, not the split
        )
    )
)
test_dataloader = val_dataloader
