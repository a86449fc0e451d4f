"""Strict loading: what fits is loaded, what does not is named, nothing is executed."""

import functools
import http.server
import os
import threading
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints import load as pretrained
from bootmae_plugin.checkpoints.export import to_mmpretrain
from bootmae_plugin.checkpoints.load import load_encoder
from bootmae_plugin.checkpoints.read import read_checkpoint, state_dict_of
from bootmae_plugin.models import MaskedDeiT
from tests.tiny import run_tool

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)


def encoder(**kwargs):
    return MaskedDeiT(**{**dict(arch=ARCH, img_size=32, patch_size=4), **kwargs})


def save(path, weights, prefix='backbone.'):
    torch.save(dict(state_dict={prefix + k: v for k, v in weights.items()}), path)
    return str(path)


def same(ours, other) -> bool:
    pairs = zip(ours.state_dict().values(), other.state_dict().values(), strict=True)
    return all(torch.equal(a, b) for a, b in pairs)


@pytest.mark.parametrize(
    'prefix', ['backbone.', '', 'module.backbone.', 'encoder.', 'module.', 'model.']
)
def test_loads_every_tensor_wherever_it_stands(tmp_path, prefix):
    ours, other = encoder(), encoder()
    load_encoder(other, save(tmp_path / 'a.pth', ours.state_dict(), prefix))
    assert same(ours, other)


def test_of_a_pretraining_the_student_is_loaded_not_the_teacher(tmp_path):
    student, teacher, other = encoder(), encoder(), encoder()
    weights = {
        f'target_generator.encoder.{k}': v for k, v in teacher.state_dict().items()
    }
    weights |= {f'backbone.{k}': v for k, v in student.state_dict().items()}
    weights['neck.mask_token'] = torch.zeros(1, 1, 24)
    path = save(tmp_path / 'stage_2.pth', weights, '')
    load_encoder(other, path)
    assert same(student, other)
    load_encoder(other, path, 'target_generator.encoder.')
    assert same(teacher, other)


def test_a_bare_state_dict_loads(tmp_path):
    ours, other = encoder(), encoder()
    torch.save(ours.state_dict(), tmp_path / 'a.pth')
    load_encoder(other, str(tmp_path / 'a.pth'))
    assert same(ours, other)


@pytest.mark.parametrize('kind', ['timm', 'mmpretrain', 'mae'])
def test_other_code_is_told_to_be_converted(tmp_path, kind):
    weights = encoder().state_dict()
    if kind == 'timm':
        weights['head.weight'] = torch.zeros(10, 24)
    if kind == 'mae':
        weights['decoder_embed.weight'] = torch.zeros(24, 24)
    if kind == 'mmpretrain':
        weights = to_mmpretrain(weights)
    with pytest.raises(UserError, match='tools/convert_checkpoint.py') as error:
        load_encoder(encoder(), save(tmp_path / 'a.pth', weights, ''))
    assert '\n' not in str(error.value)
    content = Path(tmp_path / 'a.pth')
    path = tmp_path / 'converted.pth'
    run_tool('convert_checkpoint.py', content, path)
    if kind != 'mae':  # which there is with a class token alone
        other = encoder()
        load_encoder(other, str(path))
        assert all(
            torch.equal(v, other.state_dict()[k])
            for k, v in state_dict_of(read_checkpoint(path)).items()
            if k in other.state_dict()
        )


def test_init_cfg_and_safetensors(tmp_path):
    ours = encoder()
    save_file(ours.state_dict(), tmp_path / 'a.safetensors')
    init_cfg = dict(type='Pretrained', checkpoint=str(tmp_path / 'a.safetensors'))
    other = encoder(init_cfg=init_cfg)
    other.init_weights()
    images = torch.randn(1, 3, 32, 32)
    assert torch.equal(ours.eval()(images)[0], other.eval()(images)[0])


def test_the_position_embedding_is_interpolated_to_another_grid(tmp_path):
    ours, other = encoder(), encoder(img_size=64)
    load_encoder(other, save(tmp_path / 'a.pth', ours.state_dict()))
    images = torch.randn(1, 3, 64, 64)
    assert torch.allclose(
        other.encode(images).tokens, ours.encode(images).tokens, atol=1e-5
    )


def test_what_does_not_match_is_named(tmp_path):
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
def test_a_wrong_prefix_is_recognised(tmp_path, true):
    path = save(tmp_path / 'a.pth', encoder().state_dict(), true)
    wrong = 'backbone.' if true != 'backbone.' else 'student.'
    with pytest.raises(UserError, match=f"has one under prefix='{true}'|one under"):
        load_encoder(encoder(), path, wrong)


def test_a_checkpoint_of_something_else(tmp_path):
    path = save(tmp_path / 'a.pth', torch.nn.Linear(2, 2).state_dict())
    with pytest.raises(UserError, match='not a checkpoint of this encoder'):
        load_encoder(encoder(), path)


class Gadget:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (self.path,)


def test_nothing_is_unpickled(tmp_path):
    torch.save(dict(state_dict={}, extra=Gadget(str(tmp_path / 'x'))), tmp_path / 'a')
    with pytest.raises(UserError, match=r'unpickled.*posix.mkdir'):
        read_checkpoint(tmp_path / 'a')
    assert not (tmp_path / 'x').exists()


@pytest.mark.parametrize('size', [0, 10, 1000])
def test_truncated(tmp_path, size):
    path = tmp_path / 'a.pth'
    save(path, encoder().state_dict())
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(UserError, match='a.pth') as error:
        read_checkpoint(path)
    assert '\n' not in str(error.value)


def test_an_address_is_fetched_once(tmp_path, monkeypatch):
    monkeypatch.setenv('TORCH_HOME', str(tmp_path / 'cache'))
    (tmp_path / 'www').mkdir()
    save(tmp_path / 'www/a.pth', encoder().state_dict())
    handler = functools.partial(QuietHandler, directory=str(tmp_path / 'www'))
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        url = f'http://127.0.0.1:{server.server_port}'
        load_encoder(encoder(), f'{url}/a.pth')
        with pytest.raises(UserError, match='b.pth cannot be downloaded'):
            read_checkpoint(f'{url}/b.pth')
        server.shutdown()
    load_encoder(encoder(), f'{url}/a.pth')  # from the cache


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


def test_not_a_dict(tmp_path):
    torch.save([1, 2], tmp_path / 'a.pth')
    with pytest.raises(UserError, match='holds a list'):
        read_checkpoint(tmp_path / 'a.pth')


def test_what_may_be_missing_is_allowed_by_name(tmp_path, monkeypatch):
    log = []
    monkeypatch.setattr(
        pretrained, 'print_log', lambda text, *_, **__: log.append(text)
    )
    weights = encoder().state_dict()
    del weights['dist_token']
    weights['blocks.7.norm2.bias'] = torch.zeros(24)
    path = save(tmp_path / 'a.pth', weights)
    for allow in ([], ['dist_token'], ['blocks.7.'], ['dist_', 'blocks.7.']):
        with pytest.raises(UserError, match='does not match'):
            load_encoder(encoder(), path, allow=allow)
    log.clear()
    ours = encoder()
    before = ours.dist_token.clone()
    load_encoder(ours, path, allow=['dist_token', 'blocks.7.'])
    assert torch.equal(ours.dist_token, before)
    assert torch.equal(ours.cls_token, weights['cls_token'])
    assert log[:2] == [
        f'blocks.7.norm2.bias of {path}: left out, as allowed',
        f'dist_token of {path}: kept as initialised, as allowed',
    ]
