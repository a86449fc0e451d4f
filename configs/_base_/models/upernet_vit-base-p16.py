# ViT-B/16 of 224x224 images under UPerNet and an auxiliary FCN head, as BootMAE's
# transfer: 512x512 crops, evaluated on overlapping windows of that size.
_base_ = 'upernet_deit-tiny.py'

model = dict(
    backbone=dict(
        type='mmpretrain.MaskedViT', arch='vit-base', img_size=224, patch_size=16
    ),
    neck=dict(embed_dim=768),
    decode_head=dict(
        in_channels=[768] * 4, channels=768, num_classes=150, init_cfg=dict(std=0.01)
    ),
    auxiliary_head=dict(
        in_channels=768, channels=256, num_classes=150, init_cfg=dict(std=0.01)
    ),
    test_cfg=dict(mode='slide', crop_size=(512, 512), stride=(341, 341)),
)
