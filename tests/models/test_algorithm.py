"""The algorithm: branches by stage, the teacher, the state_dict, bad combinations."""

import copy

import pytest
import torch
from mmpretrain.registry import MODELS

from bootmae_plugin import UserError

CFG = dict(
    type='BootMAE',
    backbone=dict(
        type='MaskedDeiT',
        arch=dict(embed_dims=48, num_layers=2, num_heads=3),
        img_size=32,
        patch_size=4,
    ),
    masking=dict(type='RandomMasking', mask_ratio=0.75),
    neck=dict(type='MAEDecoder', embed_dims=32, depth=1, num_heads=4),
    head=dict(
        pixel=dict(type='PixelHead', last_stage=1),
        feature=dict(type='FeatureHead', first_stage=2),
    ),
    target_generator=dict(type='StageEncoder'),
)


def build(**changes):
    return MODELS.build({**copy.deepcopy(CFG), **changes})


def test_stage_one_predicts_pixels_and_stage_two_the_frozen_encoder():
    model, images = build().train(), torch.randn(4, 3, 32, 32)
    assert set(model.loss(images)) == {'loss_pixel'}
    with torch.no_grad():
        model.backbone.cls_token.add_(1)  # the encoder moves during stage 1
    model.start_stage(2)
    assert set(model.loss(images)) == {'loss_feature', 'explained_feature'}

    # All 66 tokens are encoded, 64 are the target.
    frozen = model.target_generator(images)
    expected = model.backbone.encode(images).tokens[:, 2:]
    assert frozen.shape == (4, 64, 48)
    assert torch.allclose(frozen, expected, atol=1e-5)
    with torch.no_grad():
        model.backbone.cls_token.add_(1)  # the teacher stays
    assert torch.equal(model.target_generator(images), frozen)
    model.start_stage(3)
    assert not torch.equal(model.target_generator(images), frozen)


def test_the_teacher_is_frozen_and_appears_once_in_the_state_dict():
    model = build().train()
    teacher = model.target_generator
    model.start_stage(2)
    assert not any(module.training for module in teacher.modules())
    model.loss(torch.randn(2, 3, 32, 32))['loss_feature'].backward()
    assert all(p.grad is None and not p.requires_grad for p in teacher.parameters())
    keys = [k for k in model.state_dict() if k.endswith('patch_embed.proj.weight')]
    assert keys == [
        'backbone.patch_embed.proj.weight',
        'target_generator.encoder.patch_embed.proj.weight',
    ]
    assert not any('target' in key for key in model.backbone.state_dict())


def test_a_checkpoint_is_complete():
    model = build().train()
    model.start_stage(2)
    model.loss(torch.randn(8, 3, 32, 32))  # fills the target's statistics
    other = build().train()
    other.load_state_dict(model.state_dict())
    assert other.stage == 2
    images = torch.randn(4, 3, 32, 32)
    losses = []
    for m in (model, other):
        torch.manual_seed(1)
        losses.append(m.loss(images)['loss_feature'])
    assert torch.equal(*losses)


def test_a_stage_has_its_masks_and_crops_after_loading_too():
    crop = dict(type='BatchRandomResizedCrop', size=32, scale=[[0.2, 1], [0.6, 1]])
    changes = dict(
        masking=dict(type='RandomMasking', mask_ratio=[0.75, 0.5]),
        data_preprocessor=dict(type='BatchDataPreprocessor', augment=crop),
    )
    model, images = build(**changes), torch.randn(2, 3, 32, 32)
    assert model.draw_masks(images).ids_keep.shape == (2, 16)
    assert model.data_preprocessor.augment.scale == [0.2, 1]
    model.start_stage(2)
    other = build(**changes)
    other.load_state_dict(model.state_dict())
    for one in (model, other):
        assert one.draw_masks(images).ids_keep.shape == (2, 32)
        assert one.data_preprocessor.augment.scale == [0.6, 1]


def test_the_inactive_branch_gets_no_gradient():
    model = build().train()
    model.loss(torch.randn(2, 3, 32, 32))['loss_pixel'].backward()
    assert all(p.grad is None for p in model.head['feature'].parameters())
    assert all(p.grad is not None for p in model.head['pixel'].parameters())


def test_resetting_the_student_keeps_the_teacher():
    model = build()
    before = model.backbone.blocks[0].mlp.fc1.weight.clone()
    model.start_stage(2, student='reset')
    teacher = model.target_generator.encoder
    assert torch.equal(teacher.blocks[0].mlp.fc1.weight, before)
    assert not torch.equal(model.backbone.blocks[0].mlp.fc1.weight, before)
    model.start_stage(3, student='continue')
    assert not torch.equal(teacher.blocks[0].mlp.fc1.weight, before)


def test_a_model_without_a_teacher_trains_pixels():
    head = dict(type='PixelHead')
    model = build(head=head, target_generator=None)
    assert set(model.loss(torch.randn(2, 3, 32, 32))) == {'loss_main'}
    features = model(torch.randn(2, 3, 32, 32), mode='tensor')
    assert features[0].shape == (2, 48)


@pytest.mark.parametrize(
    ('changes', 'words'),
    [
        (dict(masking=dict(type='RandomMasking', mask_ratio=0.99)), 'leaves 0 of 64'),
        (dict(target_generator=None), 'needs a teacher'),
        (
            dict(head=dict(feature=dict(type='FeatureHead', target_channels=100))),
            'target_channels=100, but the teacher StageEncoder gives 48',
        ),
        (dict(neck=dict(pixel=CFG['neck'])), r"none for the branches .'feature'"),
    ],
)
def test_parts_that_do_not_fit_each_other_are_refused(changes, words):
    with pytest.raises(UserError, match=words):
        build(**changes)


def test_images_of_another_size_than_the_encoder_are_refused():
    with pytest.raises(
        UserError, match=r'.48, 48. do not fit the encoder.*.8, 8. patches'
    ):
        build().loss(torch.randn(1, 3, 48, 48))


def test_the_teacher_follows_the_model_to_a_device_or_dtype():
    model = build().to(torch.float64)
    assert {p.dtype for p in model.target_generator.parameters()} == {torch.float64}
    meta = build().to('meta')
    assert all(p.is_meta for p in meta.target_generator.parameters())


def test_a_stage_without_a_branch_is_refused():
    model = build(head=dict(type='PixelHead', last_stage=1))
    with pytest.raises(UserError, match='no branch is trained in stage 2'):
        model.start_stage(2)


def test_a_branch_may_have_loss_in_its_name():
    head = dict(
        pixel_loss=dict(type='PixelHead'),
        lossy=dict(type='FeatureHead', target_norm='layer'),
    )
    model = build(head=head).train()
    losses = model.loss(torch.randn(2, 3, 32, 32))
    assert set(losses) == {'loss_pixel_loss', 'loss_lossy', 'explained_lossy'}
    loss, values = model.parse_losses(losses)
    expected = losses['loss_pixel_loss'] + losses['loss_lossy']
    assert torch.equal(loss, expected)
    assert torch.equal(values['explained_lossy'], losses['explained_lossy'])
    assert set(values) == {'loss', *losses}


def every_method():
    from tests.models.test_bootmae_parity import build as build_bootmae

    cross = dict(type='CrossMAEDecoder', embed_dims=32, depth=1, num_heads=4)
    second = build()
    second.start_stage(2)
    yield 'MAE', build()
    yield 'MAE-K', second
    yield 'CrossMAE', build(neck=dict(cross, predict_ratio=0.5))
    yield 'BootMAE', build_bootmae(32, 4, 48, 2, 3, 48, 1, 48, True)
    learned = dict(CFG['backbone'], pos_embed='learnable')
    yield 'learnable positions', build(backbone=learned)


def test_gradients_have_the_strides_of_their_parameters():
    """DistributedDataParallel copies every gradient that has others."""
    for method, model in every_method():
        losses = model.train().loss(torch.randn(2, 3, 32, 32))
        model.parse_losses(losses)[0].backward()
        trained = [(k, p) for k, p in model.named_parameters() if p.grad is not None]
        assert len(trained) > 20
        for name, parameter in trained:
            assert parameter.grad.stride() == parameter.stride(), (method, name)


@pytest.mark.parametrize('out_type', ['raw', 'avg'])
def test_gradients_of_an_unmasked_encoder_have_the_strides_of_their_parameters(
    out_type,
):
    encoder = MODELS.build(dict(CFG['backbone'], out_type=out_type))
    encoder(torch.randn(2, 3, 32, 32))[0].square().sum().backward()
    for name, parameter in encoder.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad.stride() == parameter.stride(), name
