# A pretrained distilled DeiT-Tiny with a linear head. Give its checkpoint:
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/.../epoch_200.pth
# or start from random weights with model.backbone.init_cfg=None.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='MaskedDeiT',
        arch='deit-tiny',
        img_size=32,
        patch_size=4,
        out_type='avg',
        init_cfg=dict(type='Pretrained', checkpoint=''),
    ),
    head=dict(
        type='LinearClsHead',
        num_classes=10,
        in_channels=192,
        loss=dict(type='CrossEntropyLoss', loss_weight=1.0),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=2e-5),
    ),
)
