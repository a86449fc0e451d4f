"""The encoder works as a backbone of mmsegmentation without changes."""

import pytest
import torch
from mmengine.registry import init_default_scope
from mmpretrain.registry import MODELS

import bootmae_plugin  # noqa: F401 (registers the encoder)

pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')

BACKBONE = dict(
    type='mmpretrain.MaskedDeiT',
    arch=dict(embed_dims=24, num_layers=4, num_heads=2),
    img_size=32,
    patch_size=4,
    out_type='featmap',
    out_indices=(0, 1, 2, 3),
)
NORM = dict(type='BN')


def segmentor(backbone=BACKBONE):
    import mmseg.models  # noqa: F401
    from mmseg.registry import MODELS as SEG_MODELS

    init_default_scope('mmseg')
    head = dict(
        num_classes=5,
        channels=16,
        norm_cfg=NORM,
        align_corners=False,
        loss_decode=dict(type='CrossEntropyLoss', avg_non_ignore=True),
    )
    return SEG_MODELS.build(
        dict(
            type='EncoderDecoder',
            data_preprocessor=dict(type='SegDataPreProcessor', size_divisor=32),
            backbone=dict(backbone),
            neck=dict(type='Feature2Pyramid', embed_dim=24, norm_cfg=NORM),
            decode_head=dict(
                type='UPerHead', in_channels=[24] * 4, in_index=[0, 1, 2, 3], **head
            ),
            auxiliary_head=dict(
                type='FCNHead', in_channels=24, in_index=2, num_convs=1, **head
            ),
            test_cfg=dict(mode='whole'),
        )
    )


def test_multi_scale_features_of_a_non_square_image():
    model = segmentor().eval()
    images = torch.randn(2, 3, 48, 64)
    features = model.extract_feat(images)
    assert [tuple(f.shape) for f in features] == [
        (2, 24, 48, 64),
        (2, 24, 24, 32),
        (2, 24, 12, 16),
        (2, 24, 6, 8),
    ]
    assert model(images).shape == (2, 5, 12 * 4, 16 * 4)


@pytest.mark.parametrize('type_', ['mmpretrain.MaskedDeiT', 'dotted'])
def test_the_encoder_gives_the_same_features_in_mmseg_and_mmpretrain(type_):
    if type_ == 'dotted':  # works in any scope, without an import
        type_ = 'bootmae_plugin.models.MaskedDeiT'
    ours = MODELS.build(BACKBONE).eval()
    theirs = segmentor(dict(BACKBONE, type=type_)).eval()
    theirs.backbone.load_state_dict(ours.state_dict())
    images = torch.randn(2, 3, 48, 64)
    for a, b in zip(ours(images), theirs.backbone(images), strict=True):
        assert torch.equal(a, b)


def test_layer_decay_applies_to_the_encoder_of_a_segmentor():
    from mmengine.optim import build_optim_wrapper

    model = segmentor()
    wrapper = build_optim_wrapper(
        model,
        dict(
            type='OptimWrapper',
            optimizer=dict(type='AdamW', lr=1.0, weight_decay=0.1),
            constructor='mmpretrain.LayerDecayConstructor',
            paramwise_cfg=dict(layer_decay_rate=0.5),
        ),
    )
    names = {id(p): name for name, p in model.named_parameters() if p.requires_grad}
    groups = wrapper.optimizer.param_groups
    rate = {names[id(p)]: group['lr'] for group in groups for p in group['params']}
    assert len(rate) == len(names)  # every parameter once
    assert len(groups) <= 2 * 6  # 6 depths, with and without weight decay
    assert rate['backbone.cls_token'] == 0.5**5
    assert rate['backbone.blocks.0.norm1.weight'] == 0.5**4
    assert rate['backbone.blocks.3.mlp.fc1.weight'] == 0.5
    assert rate['decode_head.conv_seg.weight'] == 1
    assert rate['neck.upsample_2x.0.weight'] == 1
