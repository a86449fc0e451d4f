# UPerNet and an auxiliary FCN head on the features of blocks 4, 6, 8 and 12 (4x up, 2x
# up, as they are, 2x down), through mmsegmentation (BootMAE's transfer). BN instead of
# SyncBN, which needs a GPU and several processes.
norm_cfg = dict(type='BN', requires_grad=True)
# mmsegmentation starts its classifiers from a std of .01, which suits 512 channels and
# 160,000 iterations: with few channels, hundreds of iterations pass before anything but
# the most frequent class is learnt. This is about 1 / sqrt(channels).
classifier_init = dict(type='Normal', std=0.1, override=dict(name='conv_seg'))
model = dict(
    type='EncoderDecoder',
    backbone=dict(
        type='mmpretrain.MaskedDeiT',
        arch='deit-tiny',
        img_size=64,
        patch_size=8,
        out_type='featmap',
        out_indices=(3, 5, 7, 11),
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    ),
    neck=dict(type='Feature2Pyramid', embed_dim=192, norm_cfg=norm_cfg),
    decode_head=dict(
        type='UPerHead',
        in_channels=[192] * 4,
        in_index=[0, 1, 2, 3],
        channels=64,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=norm_cfg,
        init_cfg=classifier_init,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0, avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=192,
        in_index=2,
        channels=64,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=11,
        norm_cfg=norm_cfg,
        init_cfg=classifier_init,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4, avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
