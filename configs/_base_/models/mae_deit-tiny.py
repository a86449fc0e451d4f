# MAE of the distilled DeiT-Tiny (192-d, 12 blocks, 3 heads) for 32x32 images.
model = dict(
    type='BootMAE',
    backbone=dict(type='MaskedDeiT', arch='deit-tiny', img_size=32, patch_size=4),
    masking=dict(type='RandomMasking', mask_ratio=0.75),
    neck=dict(type='MAEDecoder', embed_dims=192, depth=2, num_heads=3),
    head=dict(pixel=dict(type='PixelHead', norm_pix=True)),
)
