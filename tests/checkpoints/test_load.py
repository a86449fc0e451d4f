"""Strict loading: what fits is loaded, every difference is named."""

import logging

import pytest
import timm
import torch
from safetensors.torch import save_file
from timm.layers import resample_patch_embed

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints import load
from bootmae_plugin.checkpoints.load import load_encoder, load_module
from bootmae_plugin.models import MaskedDeiT, MaskedViT

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)


def encoder(cls=MaskedDeiT, **kwargs):
    return cls(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})


def save(path, weights, prefix='backbone.'):
    torch.save(dict(state_dict={prefix + k: v for k, v in weights.items()}), path)
    return str(path)


def same(ours, other) -> bool:
    pairs = zip(ours.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.fixture
def log(monkeypatch):
    """Messages of the module, with their levels."""
    messages = []

    def print_log(text, logger, level=logging.INFO):
        messages.append((level, text))

    monkeypatch.setattr(load, 'print_log', print_log)
    return messages


@pytest.mark.parametrize(
    'prefix', ['backbone.', '', 'module.backbone.', 'encoder.', 'module.', 'model.']
)
def test_the_prefix_is_found(tmp_path, prefix):
    ours, other = encoder(), encoder()
    load_encoder(other, save(tmp_path / 'a.pth', ours.state_dict(), prefix))
    assert same(ours, other)


def test_a_prefix_of_the_user_is_taken(tmp_path):
    ours, other = encoder(), encoder()
    path = save(tmp_path / 'a.pth', ours.state_dict(), 'student.net.')
    load_encoder(other, path, 'student.net.')
    assert same(ours, other)


def test_of_a_pretraining_the_student_is_loaded_not_the_teacher(tmp_path, log):
    student, teacher, other = encoder(), encoder(), encoder()
    weights = {
        f'target_generator.encoder.{k}': v for k, v in teacher.state_dict().items()
    }
    weights |= {f'backbone.{k}': v for k, v in student.state_dict().items()}
    weights['neck.mask_token'] = torch.zeros(1, 1, 24)
    path = save(tmp_path / 'stage_2.pth', weights, '')
    load_encoder(other, path)
    assert same(student, other)
    number = len(student.state_dict())
    assert log == [
        (
            logging.INFO,
            f'loaded {number} encoder tensors from {path}; left out: target_generator '
            f'({number} tensors), neck (1 tensor)',
        )
    ]
    load_encoder(other, path, 'target_generator.encoder.')
    assert same(teacher, other)


def test_init_cfg_and_safetensors(tmp_path):
    ours = encoder()
    save_file(ours.state_dict(), tmp_path / 'a.safetensors')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.safetensors'))
    other = encoder(init_cfg=init_cfg)
    other.init_weights()
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(ours.eval()(images)[0], other.eval()(images)[0])


def test_the_position_embedding_is_interpolated_to_another_grid(tmp_path, log):
    ours, other = encoder(), encoder(img_size=64)
    load_encoder(other, save(tmp_path / 'a.pth', ours.state_dict()))
    images = torch.randn(1, 3, 64, 64)
    assert torch.allclose(
        other.encode(images).tokens, ours.encode(images).tokens, atol=1e-5
    )
    assert log[0][0] == logging.WARNING
    assert 'interpolated from 8x8 to 16x16 patches' in log[0][1]


def test_differences_are_named(tmp_path):
    weights = encoder().state_dict()
    del weights['blocks.1.norm2.bias']
    weights['blocks.7.norm2.bias'] = torch.zeros(24)
    weights['norm.weight'] = torch.zeros(5)
    with pytest.raises(UserError) as error:
        load_encoder(encoder(), save(tmp_path / 'a.pth', weights))
    text = str(error.value)
    assert '\n' not in text
    assert 'missing keys: blocks.1.norm2.bias' in text
    assert 'unexpected keys: blocks.7.norm2.bias' in text
    assert 'norm.weight (5,) instead of (24,)' in text


@pytest.mark.parametrize('true', ['encoder.', 'target_generator.encoder.', 'backbone.'])
def test_a_wrong_prefix_is_recognized(tmp_path, true):
    path = save(tmp_path / 'a.pth', encoder().state_dict(), true)
    wrong = 'backbone.' if true != 'backbone.' else 'student.'
    with pytest.raises(UserError, match=f"one under prefix='{true}'"):
        load_encoder(encoder(), path, wrong)


def test_a_checkpoint_of_something_else(tmp_path):
    path = save(tmp_path / 'a.pth', torch.nn.Linear(2, 2).state_dict())
    with pytest.raises(UserError, match='holds no vision transformer'):
        load_encoder(encoder(), path)


def test_no_checkpoint_given():
    with pytest.raises(UserError, match='set model.backbone.init_cfg.checkpoint'):
        load_encoder(encoder(), '')


def test_keys_may_be_missing_or_left_over_if_allowed_by_name(tmp_path, log):
    weights = encoder().state_dict()
    del weights['norm.bias']
    weights['blocks.7.norm2.bias'] = torch.zeros(24)
    path = save(tmp_path / 'a.pth', weights)
    for allow in ([], ['norm.bias'], ['blocks.7.'], ['norm', 'blocks.7.']):
        with pytest.raises(UserError, match='does not match'):
            load_encoder(encoder(), path, allow=allow)
    log.clear()
    ours = encoder()
    torch.nn.init.normal_(ours.norm.bias)
    before = ours.norm.bias.clone()
    load_encoder(ours, path, allow=['norm.bias', 'blocks.7.'])
    assert torch.equal(ours.norm.bias, before)
    assert torch.equal(ours.cls_token, weights['cls_token'])
    assert log[:2] == [
        (logging.WARNING, f'blocks.7.norm2.bias of {path}: left out, as allowed'),
        (logging.WARNING, f'norm.bias of {path}: kept its initial value, as allowed'),
    ]


@pytest.mark.parametrize('allow', ['dist_token', ['dist_token']])
@pytest.mark.parametrize('img_size', [32, 64])
def test_a_class_token_vit_loads_into_deit(tmp_path, log, allow, img_size):
    """Its position embedding has one row less: the new token gets a row of zeros."""
    vit, deit = encoder(MaskedViT), encoder(img_size=img_size)
    torch.nn.init.normal_(vit.pos_embed)
    path = save(tmp_path / 'a.pth', vit.state_dict())
    with pytest.raises(UserError, match=r'init_cfg.allow="\[dist_token\]"'):
        load_encoder(deit, path)
    log.clear()
    token = deit.dist_token.clone()
    load_encoder(deit, path, allow=allow)
    assert torch.equal(deit.dist_token, token)
    assert torch.equal(deit.cls_token, vit.cls_token)
    assert torch.equal(deit.pos_embed[:, 0], vit.pos_embed[:, 0])
    assert torch.equal(deit.pos_embed[:, 1], torch.zeros(1, 24))
    if img_size == 32:
        assert torch.equal(deit.pos_embed[:, 2:], vit.pos_embed[:, 1:])
    said = [text for level, text in log if level == logging.WARNING]
    assert 'position embedding: added a row of zeros for dist_token' in said
    assert f'dist_token of {path}: kept its initial value, as allowed' in said


def test_deit_loads_into_a_class_token_vit(tmp_path):
    vit, deit = encoder(MaskedViT), encoder()
    torch.nn.init.normal_(deit.pos_embed)
    path = save(tmp_path / 'a.pth', deit.state_dict())
    with pytest.raises(UserError, match='unexpected keys: dist_token'):
        load_encoder(vit, path)
    load_encoder(vit, path, allow=['dist_token'])
    assert torch.equal(vit.pos_embed[:, :1], deit.pos_embed[:, :1])
    assert torch.equal(vit.pos_embed[:, 1:], deit.pos_embed[:, 2:])


def test_a_backbone_of_any_kind(tmp_path):
    ours, other = torch.nn.Linear(3, 2), torch.nn.Linear(3, 2)
    for prefix, given in (('backbone.', None), ('', None), ('a.b.', 'a.b.')):
        torch.nn.init.normal_(ours.weight)
        path = save(tmp_path / 'a.pth', ours.state_dict(), prefix)
        load_module(other, path, given)
        assert same(ours, other)
    with pytest.raises(UserError, match='unexpected keys: a.b.weight'):
        load_module(other, path)


def test_patches_of_another_size_are_resampled_on_request(tmp_path, log):
    """timm's resampling; the features of a smooth image at twice the size agree."""
    small, large = encoder(), encoder(img_size=64, patch_size=8)
    path = save(tmp_path / 'a.pth', small.state_dict())
    with pytest.raises(UserError, match='other shapes.*patch_embed.proj.weight'):
        load_encoder(large, path)
    load_encoder(large, path, resample_patches=True)
    expected = resample_patch_embed(small.patch_embed.proj.weight, [8, 8])
    assert torch.equal(large.patch_embed.proj.weight, expected)
    assert (logging.WARNING, 'patch projection resampled from 4x4 to 8x8 pixels') in log
    image = torch.randn(1, 3, 32, 32).repeat_interleave(2, 2).repeat_interleave(2, 3)
    tokens = small.patch_embed(image[..., ::2, ::2]), large.patch_embed(image)
    assert torch.nn.functional.cosine_similarity(*tokens, dim=-1).mean() > 0.9


@pytest.mark.parametrize(
    ('name', 'sizes'),
    [
        ('vit_tiny_patch16_224', (192, 12, 4.0, False)),
        ('deit_tiny_distilled_patch16_224', (192, 12, 4.0, True)),
    ],
)
def test_the_sizes_of_an_encoder_of_timm(name, sizes, tmp_path):
    save_file(timm.create_model(name).state_dict(), tmp_path / 'a.safetensors')
    assert load.read_sizes(str(tmp_path / 'a.safetensors')) == sizes
