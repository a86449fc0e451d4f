# Linear evaluation: frozen encoder, 64 patch tokens flattened, your own labelled images.
#
#   python tools/train.py configs/benchmarks/linear/deit-tiny_folder.py --cfg-options \
#       model.backbone.init_cfg.checkpoint=work_dirs/bootmae_deit-tiny_folder/epoch_200.pth
#
# From random weights: deit-tiny_folder_random.py
_base_ = [
    '../../_base_/models/classifier_deit-tiny.py',
    '../../_base_/datasets/folder_classify.py',
    '../../_base_/schedules/linear_90e.py',
    '../../_base_/default_runtime.py',
]
# Two lines to change. Images: <data_root>/train/<class>/* and <data_root>/test/<class>/*.
data_root = 'data/images'
num_classes = 10

model = dict(
    backbone=dict(
        img_size=64,
        patch_size=8,
        frozen_stages=12,
        out_type='flatten64',
    ),
    neck=dict(type='ClsBatchNormNeck', input_features=64 * 192),
    head=dict(num_classes=num_classes, in_channels=64 * 192, init_cfg=dict(std=0.01)),
)
data_preprocessor = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(source=dict(data_root=f'{data_root}/train')))
val_dataloader = dict(dataset=dict(source=dict(data_root=f'{data_root}/test')))
test_dataloader = val_dataloader
