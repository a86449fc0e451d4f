# UPerNet and an auxiliary FCN head for mmsegmentation, as in BootMAE's segmentation. The
# outputs of blocks 4, 6, 8 and 12 are scaled by 4, 2, 1 and 1/2 into a pyramid. Heads use BN:
# SyncBN needs a GPU and several processes.
embed_dims = 192
num_classes = 11
norm_cfg = dict(type='BN', requires_grad=True)
# mmsegmentation initializes its classifiers with std .01, which suits 512 channels and 160,000
# iterations. With few channels, the model would predict only the most frequent class for
# hundreds of iterations. This std is about 1 / sqrt(channels).
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
        final_norm=False,  # no norm on any level, as BEiT and MAE in mmsegmentation
        drop_path_rate=0.1,
        init_cfg=dict(type='Pretrained', checkpoint='', prefix='backbone.'),
    ),
    neck=dict(type='Feature2Pyramid', embed_dim=embed_dims, norm_cfg=norm_cfg),
    decode_head=dict(
        type='UPerHead',
        in_channels=[embed_dims] * 4,
        in_index=[0, 1, 2, 3],
        channels=64,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        init_cfg=classifier_init,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=1.0, avg_non_ignore=True),
    ),
    auxiliary_head=dict(
        type='FCNHead',
        in_channels=embed_dims,
        in_index=2,
        channels=64,
        num_convs=1,
        concat_input=False,
        dropout_ratio=0.1,
        num_classes=num_classes,
        norm_cfg=norm_cfg,
        init_cfg=classifier_init,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', loss_weight=0.4, avg_non_ignore=True),
    ),
    test_cfg=dict(mode='whole'),
)
