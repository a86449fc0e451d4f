# BootMAE of ViT-B/16 (Dong et al., ECCV 2022). The pixel decoder attends to the output of
# block 1, the feature decoder to that of the last block; the target features come from a
# moving average of the encoder. Both branches train from the start.
model = dict(
    type='BootMAE',
    backbone=dict(
        type='MaskedViT',
        arch='vit-base',
        img_size=224,
        patch_size=16,
        init='bootmae',
    ),
    masking=dict(type='BlockMasking', mask_ratio=0.75),
    neck=dict(
        pixel=dict(
            type='CrossAttentionDecoder',
            embed_dims=512,
            depth=2,
            num_heads=12,
            inject=0,
        ),
        feature=dict(
            type='CrossAttentionDecoder',
            embed_dims=768,
            depth=2,
            num_heads=12,
            inject=-1,
        ),
    ),
    head=dict(
        pixel=dict(
            type='PixelHead',
            norm_pix='channel',
            shared_bias=True,
            weight_neighbors=True,
        ),
        feature=dict(
            type='FeatureHead',
            target_norm='layer',
            norm_pred=True,
            weight_neighbors=True,
            loss_warmup=0.25,
        ),
    ),
    target_generator=dict(
        type='EMAEncoder',
        decay=[(0, 0.999), (100, 0.9999), (400, 0.99999)],
        final_norm=False,
    ),
)
