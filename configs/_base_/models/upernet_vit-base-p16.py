# ViT-B/16, pretrained on 224x224 images, with UPerNet and an auxiliary FCN head: BootMAE's
# segmentation model. Evaluation uses overlapping windows of the crop size.
_base_ = 'upernet_deit-tiny.py'

embed_dims = 768
num_classes = 150

model = dict(
    backbone=dict(
        type='mmpretrain.MaskedViT', arch='vit-base', img_size=224, patch_size=16
    ),
    neck=dict(embed_dim=embed_dims),
    decode_head=dict(
        in_channels=[embed_dims] * 4,
        channels=768,
        num_classes=num_classes,
        init_cfg=dict(std=0.01),
    ),
    auxiliary_head=dict(
        in_channels=embed_dims,
        channels=256,
        num_classes=num_classes,
        init_cfg=dict(std=0.01),
    ),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
