# Linear evaluation of DeiT-Tiny (192-d, patch 8) on your own labeled images, 90 epochs: frozen
# encoder, all 64 patch tokens side by side, batch norm, one linear layer. The images are in
# <data_root>/train/<class>/* and <data_root>/test/<class>/*.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_folder.py --cfg-options \
#       data_root=data/images num_classes=10 \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_folder/epoch_200.pth
#
# Cost and result: they depend on your images.
# From random weights: deit-tiny_folder_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/folder_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
data_root = 'data/images'
num_classes = 10
img_size = 64
patch_size = 8
num_patches = (img_size // patch_size) ** 2
num_features = num_patches * 192

model = dict(
    backbone=dict(
        img_size=img_size,
        patch_size=patch_size,
        frozen_stages=12,
        out_type=f'flatten{num_patches}',
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=num_features),
    head=dict(
        num_classes=num_classes,
        in_channels=num_features,
        init_cfg=dict(std=0.01),
    ),
)
data_preprocessor = dict(num_classes=num_classes, augment=dict(size=img_size))
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
