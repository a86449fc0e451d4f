# Choosing a recipe of finetuning: the 48-d encoder on nine tenths of CIFAR-10's training
# images, evaluated on the last tenth, 10 epochs. The test images are not read.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny-d48_cifar10_fold.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny-d48_cifar10/epoch_200.pth
#
# Cost and result: the runs of results/ladders/finetune.py, in docs/results.md.
_base_ = 'deit-tiny-d48_cifar10.py'

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
train_cfg = dict(max_epochs=10)
