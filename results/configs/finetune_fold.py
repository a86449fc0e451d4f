# Choosing a recipe of finetuning: the 48-d encoder on nine tenths of the training
# images of CIFAR-10, tested on the last tenth, 10 epochs; no test image is read. AdamW,
# layer decay and drop path are as the encoder's config had them before this ladder.
#
#   python tools/study.py run results/ladders/finetune.py
#
# Cost and result: docs/results.md
_base_ = '../../configs/benchmarks/finetune/deit-tiny-d48_cifar10.py'

model = dict(backbone=dict(drop_path_rate=0.1))
optim_wrapper = dict(
    constructor='LayerDecayConstructor',
    optimizer=dict(
        _delete_=True,
        type='AdamW',
        lr=8e-3,
        betas=(0.9, 0.999),
        weight_decay=0.05,
        fused=True,
    ),
    paramwise_cfg=dict(layer_decay_rate=0.75),
)
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
