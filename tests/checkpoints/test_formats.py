"""Checkpoints of other projects load into an encoder directly, by values."""

import logging

import numpy as np
import pytest
import timm
import torch
from mmpretrain.registry import MODELS

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.formats import (
    NOT_ENCODER,
    from_mmpretrain,
    recognize,
    rename_block,
)
from bootmae_plugin.checkpoints.load import load_encoder
from bootmae_plugin.models import MaskedDeiT, MaskedViT
from tests.checkpoints.test_load import log  # noqa: F401
from tests.conftest import golden_files

ARCH = dict(embed_dims=48, num_layers=2, num_heads=3)


def encoder(cls=MaskedViT):
    return cls(arch=ARCH, img_size=32, patch_size=4, out_type='raw').eval()


def timm_model(name='deit_tiny_distilled_patch16_224'):
    model = timm.create_model(
        name, img_size=32, patch_size=4, embed_dim=48, depth=2, num_heads=3
    )
    torch.nn.init.normal_(model.pos_embed)
    return model.eval()


def mmpretrain_classifier():
    model = MODELS.build(
        dict(
            type='ImageClassifier',
            backbone=dict(
                type='DistilledVisionTransformer',
                arch=dict(ARCH, feedforward_channels=192),
                img_size=32,
                patch_size=4,
                out_type='raw',
            ),
            head=dict(type='DeiTClsHead', num_classes=10, in_channels=48),
        )
    )
    model.init_weights()
    model.eval()
    return model


@pytest.mark.parametrize('prefix', ['', 'module.'])
@pytest.mark.parametrize(
    ('name', 'cls', 'heads'),
    [
        ('deit_tiny_distilled_patch16_224', MaskedDeiT, ['head', 'head_dist']),
        ('vit_tiny_patch16_224', MaskedViT, ['head']),
    ],
)
def test_timm_with_its_heads(tmp_path, log, prefix, name, cls, heads):  # noqa: F811
    theirs, ours = timm_model(name), encoder(cls)
    weights = {prefix + key: value for key, value in theirs.state_dict().items()}
    torch.save(weights, tmp_path / 'a.pth')
    load_encoder(ours, str(tmp_path / 'a.pth'))
    images = torch.randn(2, 3, 32, 32)
    assert torch.allclose(ours(images)[0], theirs.forward_features(images), atol=1e-5)
    ((level, text),) = log
    assert level == logging.INFO
    if not prefix:
        parts = ', '.join(f'{head} (2 tensors)' for head in heads)
        assert text.endswith(f'left out: {parts}')


def test_mmpretrain_with_its_head(tmp_path, log):  # noqa: F811
    theirs, ours = mmpretrain_classifier(), encoder(MaskedDeiT)
    torch.save(dict(state_dict=theirs.state_dict()), tmp_path / 'a.pth')
    load_encoder(ours, str(tmp_path / 'a.pth'))
    images = torch.randn(2, 3, 32, 32)
    assert torch.allclose(ours(images)[0], theirs.backbone(images)[0], atol=1e-5)
    assert log[0][0] == logging.INFO
    assert log[0][1].endswith('left out: head (4 tensors)')

    torch.save(theirs.backbone.state_dict(), tmp_path / 'backbone.pth')
    alone = encoder(MaskedDeiT)
    load_encoder(alone, str(tmp_path / 'backbone.pth'))
    assert torch.equal(alone(images)[0], ours(images)[0])


def golden_weights(path, prefix='weight/') -> dict:
    data = np.load(path)
    return {
        key.removeprefix(prefix): torch.from_numpy(data[key])
        for key in data.files
        if key.startswith(prefix)
    }


@pytest.mark.parametrize('path', golden_files('mae_*.npz'))
def test_official_mae_with_its_decoder(tmp_path, path, log):  # noqa: F811
    """The latent of the visible patches is that of the official code."""
    from tests.models.test_mae_parity import build_mae, relative

    data = np.load(path)
    model = build_mae(*(int(n) for n in data['config']))
    model.masking.mask_ratio = float(data['mask_ratio'])
    torch.save(dict(model=golden_weights(path)), tmp_path / 'a.pth')
    load_encoder(model.backbone, str(tmp_path / 'a.pth'))
    mask = model.masking.from_noise(torch.from_numpy(data['noise']))
    latent = model.backbone.encode(torch.from_numpy(data['images']), mask)
    assert relative(latent.tokens.detach(), data['latent']) < 1e-5
    assert log[0][0] == logging.INFO
    assert 'left out: mask_token (1 tensor), decoder_pos_embed' in log[0][1]


@pytest.mark.parametrize('path', golden_files('bootmae_*.npz'))
@pytest.mark.parametrize('file', ['pretraining', 'encoder alone'])
def test_official_bootmae(tmp_path, path, file):
    """Patch features of the moving-average encoder are those of the official code."""
    from tests.models.test_bootmae_parity import build, relative

    data = np.load(path)
    model = build(*(int(n) for n in data['config']), True)
    weights = golden_weights(path, 'ema_weight/')
    if file == 'pretraining':
        weights = {**golden_weights(path), **weights}
    else:
        weights = {k: v for k, v in weights.items() if not k.startswith(NOT_ENCODER)}
    torch.save(dict(model=weights), tmp_path / 'a.pth')
    load_encoder(model.backbone, str(tmp_path / 'a.pth'))
    last = model.backbone.num_layers - 1
    images = torch.from_numpy(data['images'])
    features = model.backbone.eval().encode(images, blocks=[last]).blocks[last][:, 1:]
    assert relative(features.detach(), data['ema_features']) < 1e-4


def test_separate_biases_are_joined(tmp_path):
    """BEiT's names: a bias of q and of v, none of k, which gets zeros."""
    weights = encoder().state_dict()
    q_bias, v_bias = torch.randn(48), torch.randn(48)
    for i in range(2):
        del weights[f'blocks.{i}.attn.qkv.bias']
        weights[f'blocks.{i}.attn.q_bias'] = q_bias
        weights[f'blocks.{i}.attn.v_bias'] = v_bias
    torch.save(weights, tmp_path / 'a.pth')
    ours = encoder()
    load_encoder(ours, str(tmp_path / 'a.pth'))
    expected = torch.cat([q_bias, torch.zeros(48), v_bias])
    assert torch.equal(ours.blocks[1].attn.qkv.bias, expected)


def test_an_encoder_of_another_design_is_refused(tmp_path):
    """Layer scale, which our blocks lack, is never dropped in silence."""
    weights = timm_model('vit_tiny_patch16_224').state_dict()
    weights['blocks.0.ls1.gamma'] = torch.ones(48)
    torch.save(weights, tmp_path / 'timm.pth')
    with pytest.raises(UserError, match='unexpected keys: blocks.0.ls1.gamma'):
        load_encoder(encoder(), str(tmp_path / 'timm.pth'))
    weights = mmpretrain_classifier().state_dict()
    weights['backbone.layers.0.ls1.gamma'] = torch.ones(48)
    torch.save(weights, tmp_path / 'mm.pth')
    with pytest.raises(UserError, match='unexpected keys: blocks.0.ls1.gamma'):
        load_encoder(encoder(MaskedDeiT), str(tmp_path / 'mm.pth'))
    assert 'backbone.blocks.0.ls1.gamma' in from_mmpretrain(weights)


def test_block_names_there_and_back():
    assert rename_block('3.ln1.bias') == '3.norm1.bias'
    assert rename_block('11.ffn.layers.0.0.weight') == '11.mlp.fc1.weight'
    assert rename_block('3.mlp.fc2.bias', to_mmpretrain=True) == '3.ffn.layers.1.bias'
    assert rename_block('3.gamma') == '3.gamma'


def test_an_unknown_format_is_refused():
    with pytest.raises(UserError, match="a file has an unknown.*first keys: .'x'"):
        recognize({'x': torch.zeros(1)}, 'a file')
