# The pretrained encoder with a linear head. The encoder's checkpoint is given on the
# command line:
#   --cfg-options model.backbone.init_cfg.checkpoint=work_dirs/.../epoch_200.pth
# and random initialisation by model.backbone.init_cfg=None.
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
