# MAE of ViT-B/16 (He et al. 2021).
model = dict(
    type='BootMAE',
    backbone=dict(type='MaskedViT', arch='vit-base', img_size=224, patch_size=16),
    masking=dict(type='RandomMasking', mask_ratio=0.75),
    neck=dict(type='MAEDecoder', embed_dims=512, depth=8, num_heads=16),
    head=dict(pixel=dict(type='PixelHead', norm_pix=True)),
)
