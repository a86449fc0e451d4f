"""Teachers: decay schedules by hand, the moving average, other backbones."""

import copy

import pytest
import torch
from mmpretrain.registry import MODELS

from bootmae_plugin import UserError
from bootmae_plugin.models import EMAEncoder, MaskedDeiT, PretrainedEncoder
from tests.models.test_algorithm import build

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
BASE = [(0, 0.999), (100, 0.9999), (400, 0.99999)]  # BootMAE, ViT-B


def student(**kwargs):
    return MaskedDeiT(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})


@pytest.mark.parametrize(
    ('epoch', 'decay'),
    [
        (0, 0.999),
        (50, 0.99945),
        (100, 0.9999),
        (250, 0.9999 + 150 / 300 * 0.00009),
        (400, 0.99999),
        (500, 0.99999),
    ],
)
def test_decay_of_bootmae_base(epoch, decay):
    assert EMAEncoder(BASE).decay_at(epoch, 800) == pytest.approx(decay, abs=1e-12)


def test_constant_and_cosine_decay():
    assert EMAEncoder(0.99).decay_at(123, 800) == 0.99
    cosine = EMAEncoder(dict(start=0.99, end=1.0))
    values = [cosine.decay_at(e, 100) for e in (0, 50, 100)]
    assert values == pytest.approx([0.99, 0.995, 1.0])


@pytest.mark.parametrize(
    ('epoch', 'weight'), [(0, 0.0), (80, 0.4), (200, 1.0), (400, 1.0)]
)
def test_feature_weight_ramps_over_a_quarter_of_the_epochs(epoch, weight):
    head = dict(type='FeatureHead', ramp=0.25)
    model = build(head=dict(feature=head))
    model.start_epoch(epoch, 800)
    assert model.head['feature'].branch_weight == pytest.approx(weight)
    images = torch.randn(2, 3, 32, 32)
    torch.manual_seed(0)
    loss = model.loss(images)['loss_feature']
    model.start_epoch(800, 800)
    torch.manual_seed(0)
    whole = model.loss(images)['loss_feature']
    assert float(loss) == pytest.approx(weight * float(whole), rel=1e-5)


def test_the_average_by_hand():
    encoder, teacher = student(), EMAEncoder(0.9)
    teacher.attach(encoder)
    expected = copy.deepcopy(encoder.state_dict())
    for _ in range(3):
        with torch.no_grad():
            for parameter in encoder.parameters():
                parameter.add_(torch.randn_like(parameter))
        teacher.update(encoder, epoch=0, max_epochs=1)
        for key, value in encoder.state_dict().items():
            expected[key] = 0.9 * expected[key] + 0.1 * value
    for key, value in teacher.encoder.state_dict().items():
        assert torch.allclose(value, expected[key], atol=1e-5), key
    assert not any(p.requires_grad for p in teacher.parameters())


def test_the_average_moves_only_while_it_is_the_target():
    model = build(target_generator=dict(type='EMAEncoder', decay=0.5))
    start = model.target_generator.encoder.cls_token.clone()
    with torch.no_grad():
        model.backbone.cls_token.add_(1)
    model.after_step(0, 1)  # stage 1 predicts pixels
    assert torch.equal(model.target_generator.encoder.cls_token, start)
    model.start_stage(2)
    assert torch.equal(model.target_generator.encoder.cls_token, start + 1)
    with torch.no_grad():
        model.backbone.cls_token.add_(1)
    model.after_step(0, 1)
    expected = start + 1.5
    assert torch.allclose(model.target_generator.encoder.cls_token, expected)


def test_without_the_final_norm():
    encoder, teacher = student().eval(), EMAEncoder(final_norm=False)
    teacher.attach(encoder)
    images = torch.randn(2, 3, 32, 32)
    x = encoder.embed(images)
    for block in encoder.blocks:
        x = block(x)
    assert torch.allclose(teacher(images), x[:, 2:], atol=1e-6)  # and no more of it


@pytest.mark.parametrize(
    'backbone',
    [
        dict(type='MaskedDeiT', arch=ARCH, img_size=32, patch_size=4, out_type='raw'),
        dict(
            type='VisionTransformer',
            arch='deit-t',
            img_size=32,
            patch_size=4,
            out_type='featmap',
        ),
        dict(
            type='TIMMBackbone',
            model_name='vit_tiny_patch16_224',
            features_only=True,
            pretrained=False,
            out_indices=(-1,),
            img_size=32,
            patch_size=4,
        ),
    ],
    ids=['plugin', 'mmpretrain', 'timm'],
)
def test_features_of_other_backbones(backbone):
    model = build(
        target_generator=dict(type='PretrainedEncoder', backbone=backbone),
        head=dict(type='FeatureHead', target_norm='layer'),
    ).train()
    teacher = model.target_generator
    images = torch.randn(2, 3, 32, 32)
    assert teacher(images).shape == (2, 64, teacher.out_channels)
    assert not any(m.training for m in teacher.modules())
    model.loss(images)['loss_main'].backward()
    assert all(p.grad is None for p in teacher.parameters())


def test_a_pretrained_teacher_loads_its_checkpoint(tmp_path):
    trained = student()
    weights = {'backbone.' + k: v for k, v in trained.state_dict().items()}
    torch.save(dict(state_dict=weights), tmp_path / 'a.pth')
    cfg = dict(type='MaskedDeiT', arch=ARCH, img_size=32, patch_size=4)
    teacher = MODELS.build(
        dict(
            type='PretrainedEncoder',
            backbone=dict(cfg, out_type='raw'),
            checkpoint=str(tmp_path / 'a.pth'),
        )
    )
    teacher.attach(student())
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(teacher(images), trained.eval().encode(images).tokens[:, 2:])


def test_a_teacher_that_does_not_fit_names_both_sizes():
    backbone = dict(
        type='MaskedDeiT', arch=ARCH, img_size=32, patch_size=8, out_type='featmap'
    )
    teacher = PretrainedEncoder(backbone)
    with pytest.raises(UserError, match=r'gives 16 patch features.*8x8 = 64 patches'):
        teacher.attach(student())
    teacher = PretrainedEncoder(dict(backbone, patch_size=4, out_type='avg'))
    with pytest.raises(UserError, match='out_type='):
        teacher.attach(student())


def test_injected_block_out_of_range():
    with pytest.raises(UserError, match='inject=2.*blocks 0 to 1'):
        build(neck=dict(type='CrossAttentionDecoder', embed_dims=24, inject=2))


@pytest.mark.parametrize(
    ('decay', 'words'),
    [
        (1.5, 'decay=.*between 0 and 1'),
        ([(0, 0.9), (10, -0.1)], 'between 0 and 1'),
        ([(10, 0.9), (0, 0.99)], 'must increase'),
        (dict(start=0.9), 'start and end'),
    ],
)
def test_bad_decay(decay, words):
    with pytest.raises(UserError, match=words):
        EMAEncoder(decay)
