# A pretrained ViT-B/16 with a linear head. The mean of the patch tokens goes through a new
# norm instead of the encoder's final norm. Give the checkpoint:
#   --cfg-options model.backbone.init_cfg.checkpoint=CHECKPOINT
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='MaskedViT',
        arch='vit-base',
        img_size=224,
        patch_size=16,
        out_type='avg',
        final_norm=False,
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint=''),
    ),
    neck=dict(type='NormNeck', embed_dims=768),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=768,
        loss=dict(type='LabelSmoothLoss', label_smooth_val=0.1, mode='original'),
        init_cfg=dict(type='TruncNormal', layer='Linear', std=2e-5),  # 0.02 * 0.001
    ),
)
