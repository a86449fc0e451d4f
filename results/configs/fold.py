# Choosing a recipe of finetuning: that of the 48-d encoder on nine tenths of the
# training images of CIFAR-10, tested on the last tenth; no test image is read.
#
#   python tools/study.py run results/ladders/finetune_long.py
#
# Cost and result: docs/results.md
_base_ = '../../configs/benchmarks/finetune/deit-tiny-d48_cifar10.py'

split = dict(
    _delete_=True,
    type='KFoldDataset',
    dataset=dict(type='CIFAR10Copy', data_root={{_base_.data_root}}, split='train'),
    num_splits=10,
    seed=0,
)
train_dataloader = dict(dataset=dict(source=split))
val_dataloader = dict(dataset=dict(source=dict(test_mode=True, **split)))
test_dataloader = val_dataloader
