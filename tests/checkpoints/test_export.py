"""Conversion of files: by values, both ways, inputs never changed."""

import argparse

import numpy as np
import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.export import convert_checkpoint
from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of
from bootmae_plugin.models import MaskedDeiT, MaskedViT
from tests.checkpoints.test_formats import ARCH, mmpretrain_classifier, timm_model
from tests.conftest import golden_files
from tests.models.test_algorithm import build


def encoder_of(path, **kwargs):
    init_cfg = dict(type='Pretrained', checkpoint=str(path))
    cls = kwargs.pop('cls', MaskedDeiT)
    model = cls(arch=ARCH, img_size=32, patch_size=4, init_cfg=init_cfg, **kwargs)
    model.init_weights()
    return model.eval()


@pytest.mark.parametrize(
    ('name', 'cls'),
    [
        ('deit_tiny_distilled_patch16_224', MaskedDeiT),
        ('vit_tiny_patch16_224', MaskedViT),
    ],
)
def test_timm_there_and_back(tmp_path, name, cls):
    theirs = timm_model(name)
    torch.save(theirs.state_dict(), tmp_path / 'timm.pth')
    done = convert_checkpoint(tmp_path / 'timm.pth', tmp_path / 'ours.pth')
    assert done.dropped.startswith('head (2 tensors)')
    ours = encoder_of(tmp_path / 'ours.pth', cls=cls, out_type='raw')
    images = torch.randn(2, 3, 32, 32)
    expected = theirs.forward_features(images)
    assert torch.allclose(ours(images)[0], expected, atol=1e-5)

    convert_checkpoint(tmp_path / 'ours.pth', tmp_path / 'back.safetensors', to='timm')
    modes = [(tmp_path / n).stat().st_mode for n in ('ours.pth', 'back.safetensors')]
    assert modes[0] == modes[1]  # as any file of the user
    back = timm_model(name)
    result = back.load_state_dict(read_checkpoint(tmp_path / 'back.safetensors'), False)
    assert all(key.startswith('head') for key in result.missing_keys)
    assert result.unexpected_keys == []
    assert torch.allclose(back.forward_features(images), expected, atol=1e-6)


def test_to_mmpretrain_and_back(tmp_path):
    model = build(neck=dict(type='MAEDecoder', embed_dims=16, depth=1, num_heads=2))
    torch.save(dict(state_dict=model.state_dict()), tmp_path / 'ours.pth')
    convert_checkpoint(tmp_path / 'ours.pth', tmp_path / 'theirs.pth', to='mmpretrain')
    weights = state_dict_of(read_checkpoint(tmp_path / 'theirs.pth'))
    # The exported encoder is the student's alone: no teacher, decoder or head.
    assert all(key.startswith('backbone.') for key in weights)
    assert len(weights) == len(model.backbone.state_dict())
    theirs = mmpretrain_classifier().backbone
    theirs.load_state_dict({k.removeprefix('backbone.'): v for k, v in weights.items()})
    images = torch.randn(2, 3, 32, 32)
    expected = model.backbone.eval().encode(images).tokens
    assert torch.allclose(theirs(images)[0], expected, atol=1e-5)

    convert_checkpoint(tmp_path / 'theirs.pth', tmp_path / 'back.pth')
    back = encoder_of(tmp_path / 'back.pth', out_type='raw')
    assert torch.equal(back(images)[0], expected)


@pytest.mark.parametrize(
    ('path', 'kind'),
    [
        *((p.values[0], 'mae') for p in golden_files('mae_*.npz')),
        *((p.values[0], 'bootmae') for p in golden_files('bootmae_*.npz')),
    ],
)
def test_official_checkpoints(tmp_path, path, kind):
    if path is None:
        pytest.skip('no golden file (set GOLDEN_DIR)')
    data = np.load(path)
    content = {
        name: {
            k.removeprefix(prefix): torch.from_numpy(data[k])
            for k in data.files
            if k.startswith(prefix)
        }
        for name, prefix in (('model', 'weight/'), ('model_ema', 'ema_weight/'))
    }
    torch.save(content, tmp_path / 'official.pth')
    done = convert_checkpoint(tmp_path / 'official.pth', tmp_path / 'ours.pth')
    assert done.dropped == 'nothing'
    converted = state_dict_of(read_checkpoint(tmp_path / 'ours.pth'))
    if kind == 'mae':
        from tests.models.test_mae_parity import build_mae

        model = build_mae(*(int(n) for n in data['config']))
    else:
        from tests.models.test_bootmae_parity import build as build_bootmae

        model = build_bootmae(*(int(n) for n in data['config']), True)
    model.load_state_dict(converted)  # strict


def test_an_unknown_format_is_refused(tmp_path):
    torch.save(torch.nn.Linear(2, 2).state_dict(), tmp_path / 'a.pth')
    with pytest.raises(UserError, match='has an unknown format'):
        convert_checkpoint(tmp_path / 'a.pth', tmp_path / 'b.pth')
    assert not (tmp_path / 'b.pth').exists()


def test_nothing_is_overwritten(tmp_path):
    source, other = tmp_path / 'a.pth', tmp_path / 'b.pth'
    torch.save(timm_model().state_dict(), source)
    before = source.read_bytes()
    with pytest.raises(UserError, match='input itself'):
        convert_checkpoint(source, source, force=True)
    other.write_text('kept')
    with pytest.raises(UserError, match='exists already'):
        convert_checkpoint(source, other)
    assert other.read_text() == 'kept'
    convert_checkpoint(source, other, force=True)
    assert source.read_bytes() == before
    assert sorted(p.name for p in tmp_path.iterdir()) == ['a.pth', 'b.pth']


def test_a_trusted_file_is_unpickled_on_request(tmp_path):
    """Training scripts often store their arguments beside the weights."""
    source, target = tmp_path / 'timm.pth', tmp_path / 'ours.pth'
    weights = timm_model('vit_tiny_patch16_224').state_dict()
    torch.save(dict(model=weights, args=argparse.Namespace(lr=1)), source)
    with pytest.raises(UserError, match='argparse.Namespace.*--unpickle'):
        convert_checkpoint(source, target)
    assert not target.exists()
    convert_checkpoint(source, target, unpickle=True)
    ours = state_dict_of(read_checkpoint(target))
    assert any(torch.equal(v, weights['cls_token']) for v in ours.values())
