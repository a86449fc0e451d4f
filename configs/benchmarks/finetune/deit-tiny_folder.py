# Full finetuning of DeiT-Tiny (192-d, patch 8) on your own labeled images, 100 epochs: mean
# of the patch tokens, layer-wise learning-rate decay, mixup and cutmix in alternation, label
# smoothing, drop path. The images are in <data_root>/train/<class>/* and
# <data_root>/test/<class>/*.
#
#   python tools/train.py configs/benchmarks/finetune/deit-tiny_folder.py --cfg-options \
#       data_root=data/images num_classes=10 \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_folder/epoch_200.pth
#
# Cost and result: they depend on your images.
# From random weights: deit-tiny_folder_random.py
# Only the last blocks: ../partial/deit-tiny_folder.py
# Overrides (mixup, averaged weights, distilled head, ...): see deit-tiny_cifar10.py
_base_ = [
    '../../_base_/models/finetune_deit-tiny.py',
    '../../_base_/datasets/folder_classify.py',
    '../../_base_/schedules/finetune_100e.py',
    '../../_base_/default_runtime.py',
]
data_root = 'data/images'
num_classes = 10
img_size = 64

model = dict(
    backbone=dict(img_size=img_size, patch_size=8),
    head=dict(num_classes=num_classes),
)
data_preprocessor = dict(
    num_classes=num_classes,
    augment=dict(size=img_size),
    batch_augments=dict(
        augments=[dict(type='Mixup', alpha=0.8), dict(type='CutMix', alpha=1.0)]
    ),
)
train_dataloader = dict(
    dataset=dict(img_size=img_size, source=dict(data_root=f'{data_root}/train'))
)
val_dataloader = dict(
    dataset=dict(
        img_size=img_size,
        source=dict(data_root=f'{data_root}/test'),
        pipeline=[dict(type='CoverCrop', size=img_size), dict(type='PackInputs')],
    )
)
test_dataloader = val_dataloader
