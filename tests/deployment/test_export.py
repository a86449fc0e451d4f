"""``bootmae export``: every file gives torch's numbers and says what it is."""

import json
import os
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import timm
import torch
from mmpretrain.registry import MODELS
from PIL import Image
from safetensors import safe_open

import bootmae_plugin.models  # noqa: F401 (registers the encoders)
from bootmae_plugin.deployment.export import METADATA, ExportedModel, export_model
from bootmae_plugin.deployment.onnx_model import OnnxModel
from bootmae_plugin.deployment.spec import ModelSpec
from bootmae_plugin.deployment.timm_model import create, timm_config, to_timm_model
from bootmae_plugin.deployment.trained import load_trained
from bootmae_plugin.errors import UserError
from tests.deployment.conftest import ARCH
from tests.deployment.test_predict import error_of, predict, probabilities, read_rows
from tests.image_files import picture
from tests.tiny import ROOT, run_tool

DIGITS = [str(i) for i in range(10)]
SPEC = ModelSpec('classification', (16, 16), (120.0,) * 3, (60.0,) * 3)


@pytest.fixture(scope='module')
def onnx_file(classifier, tmp_path_factory):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (deploy)')
    path = tmp_path_factory.mktemp('onnx') / 'model.onnx'
    run_tool('export.py', classifier.folder, path)
    return path


def export_error(*args) -> str:
    with pytest.raises(SystemExit) as stop:
        run_tool('export.py', *args)
    assert '\n' not in str(stop.value.code)
    return str(stop.value.code)


def test_an_onnx_file_predicts_without_torch(classifier, onnx_file, tmp_path):
    out = tmp_path / 'out.csv'
    words = ['predict', onnx_file, classifier.photos, '--out', out, '--top-k', 10]
    code = (
        'import sys, bootmae_main; bootmae_main.main(sys.argv[1:]); '
        'print([name for name in ("torch", "mmengine") if name in sys.modules])'
    )
    done = subprocess.run(
        [sys.executable, '-c', code, *map(str, words)], capture_output=True, text=True,
        env=os.environ | dict(PYTHONPATH=str(ROOT)),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == '[]'
    assert np.allclose(probabilities(out), classifier.expected, atol=1e-5)


def test_both_routes_read_the_same_pixels(classifier, onnx_file, tmp_path):
    photos = tmp_path / 'photos'
    picture(photos / 'large.jpg', (400, 300))  # decoded at a fraction of its size
    picture(photos / 'palette.png', (40, 50), mode='P')
    picture(photos / 'alpha.png', (20, 70), mode='RGBA')
    deep = np.random.default_rng(0).integers(0, 65536, (50, 60)).astype(np.uint16)
    Image.fromarray(deep).save(photos / 'deep.png')
    exif = Image.Exif()
    exif[274] = 6  # turned by 90 degrees
    with Image.open(photos / 'large.jpg') as image:
        image.resize((60, 40)).save(photos / 'turned.jpg', exif=exif)
    (photos / 'bad.png').write_text('no picture')
    tables = []
    for model in (classifier.folder, onnx_file):
        out = tmp_path / f'{model.name}.csv'
        predict(model, photos, '--out', out, '--top-k', 10)
        tables.append(out)
    scores = [probabilities(table) for table in tables]
    assert len(scores[0]) == 5
    assert np.allclose(*scores, atol=1e-5)
    assert [[row[:2] for row in read_rows(table)] for table in tables][0] == [
        row[:2] for row in read_rows(tables[1])
    ]
    assert np.ptp(scores[0], axis=0).max() > 0.01  # the photos differ


def test_the_file_says_what_it_is(classifier, onnx_file):
    model = OnnxModel(onnx_file, 'cpu')
    assert model.spec == load_trained(classifier.checkpoint, 'cpu').spec
    assert model.spec.classes == tuple(DIGITS)
    assert model.spec.input_size == (32, 32)
    assert (model.spec.mean, model.spec.std) == ((77.0,) * 3, (88.0,) * 3)
    metadata = model.session.get_modelmeta().custom_metadata_map
    assert json.loads(metadata['classes']) == DIGITS
    (given,) = model.session.get_inputs()
    assert (given.name, given.shape) == ('images', ['batch', 3, 32, 32])


def test_torch_export_and_timm(classifier, tmp_path, capsys):
    trained = load_trained(classifier.checkpoint, 'cpu')
    images = torch.rand(5, 3, 32, 32)
    expected = ExportedModel(trained)(images).detach()
    for name in ('model.pt2', 'model.safetensors'):
        run_tool('export.py', classifier.checkpoint, tmp_path / name)
        assert 'of 10 classes, input 32x32' in capsys.readouterr().out

    extra = {METADATA: ''}
    program = torch.export.load(tmp_path / 'model.pt2', extra_files=extra)
    assert torch.allclose(program.module()(images), expected, atol=1e-5)
    assert json.loads(json.loads(extra[METADATA])['classes']) == DIGITS

    path = tmp_path / 'model.safetensors'
    with safe_open(path, 'pt') as file:
        config = json.loads(file.metadata()['timm'])
    settings = config['pretrained_cfg']
    model = timm.create_model(
        config['architecture'], num_classes=config['num_classes'],
        checkpoint_path=path, **config['model_args'],
    ).eval()  # fmt: skip
    mean, std = (torch.tensor(settings[k]).view(3, 1, 1) for k in ('mean', 'std'))
    assert torch.allclose(model((images - mean) / std), expected, atol=1e-5)
    assert settings['label_names'] == DIGITS
    # With config.json beside it, timm opens the folder.
    (tmp_path / 'config.json').write_text(json.dumps(config))
    opened = timm.create_model(f'local-dir:{tmp_path}', pretrained=True).eval()
    assert torch.equal(opened(images), model(images))


LINEAR = dict(type='LinearClsHead', num_classes=5, in_channels=24)


@pytest.mark.parametrize(
    ('encoder', 'backbone', 'rest'),
    [
        ('MaskedViT', dict(out_type='avg'), dict(head=LINEAR)),
        ('MaskedViT', dict(out_type='cls'), dict(head=LINEAR)),
        ('MaskedDeiT', dict(out_type='cls'), dict(head=LINEAR)),
        (
            'MaskedDeiT',
            dict(out_type='avg', final_norm=False),
            dict(neck=dict(type='NormNeck', embed_dims=24), head=LINEAR),
        ),
        (
            'MaskedViT',
            dict(out_type='avg'),
            dict(neck=dict(type='ClsBatchNormNeck', input_features=24), head=LINEAR),
        ),
        (
            'MaskedDeiT',
            dict(out_type='distilled'),
            dict(head=dict(type='DeiTClsHead', num_classes=5, in_channels=24)),
        ),
    ],
)
def test_heads_and_necks_in_timm(encoder, backbone, rest):
    backbone = dict(type=encoder, arch=ARCH, img_size=16, patch_size=4, **backbone)
    model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, **rest)).eval()
    for value in model.state_dict().values():  # norms, too
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + 0.1)
    spec = replace(SPEC, classes=tuple('abcde'))
    theirs = to_timm_model(model, spec)
    images = torch.rand(3, 3, 16, 16)
    expected = model(images, mode='tensor')
    assert torch.allclose(create(theirs, spec)(images), expected, rtol=1e-5, atol=1e-5)
    assert json.loads(timm_config(theirs, spec))['num_classes'] == 5


def test_what_timm_does_not_have_is_refused():
    backbone = dict(
        type='MaskedViT', arch=ARCH, img_size=16, patch_size=4, out_type='flatten'
    )
    head = dict(LINEAR, in_channels=24 * 16)
    model = MODELS.build(dict(type='ImageClassifier', backbone=backbone, head=head))
    with pytest.raises(UserError, match="no pooling 'flatten'.*export to .onnx"):
        to_timm_model(model, SPEC)


def test_an_encoder_gives_features(encoder, classifier, tmp_path):
    path = tmp_path / 'features.onnx'
    run_tool('export.py', encoder, path)
    trained = load_trained(encoder / 'epoch_1.pth', 'cpu')
    images = torch.rand(4, 3, 32, 32)
    expected = trained.model(ExportedModel(trained).normalize(images))[0].detach()
    model = OnnxModel(path, 'cpu')
    assert np.allclose(model.run(images.numpy()), expected, atol=1e-5)
    assert (model.spec.task, model.spec.classes) == ('features', ())
    line = error_of(path, classifier.photos, '--out', tmp_path / 'a.csv')
    assert 'without a head' in line
    timm_file = tmp_path / 'features.safetensors'
    run_tool('export.py', encoder, timm_file)
    with safe_open(timm_file, 'pt') as file:
        assert json.loads(file.metadata()['timm'])['num_classes'] == 0


def test_nothing_is_overwritten_and_unknown_suffixes_are_refused(classifier, tmp_path):
    path = tmp_path / 'model.onnx'
    path.write_text('mine')
    assert 'exists already' in export_error(classifier.folder, path)
    line = export_error(classifier.folder, tmp_path / 'model.tflite')
    assert "unknown suffix '.tflite'" in line and '.onnx, .pt2, .safetensors' in line
    assert path.read_text() == 'mine' and [*tmp_path.iterdir()] == [path]
    (tmp_path / 'a.safetensors').write_text('')
    run_tool('export.py', classifier.folder, tmp_path / 'a.safetensors', '--force')
    assert (tmp_path / 'a.safetensors').stat().st_size > 1000


def test_a_wrong_file_is_not_kept(classifier, tmp_path, monkeypatch):
    from bootmae_plugin.deployment import export

    def wrong(model, path, metadata):
        path.write_text('wrong')
        return lambda images: model(images) + 1

    monkeypatch.setitem(export.WRITERS, '.pt2', wrong)
    trained = load_trained(classifier.checkpoint, 'cpu')
    with pytest.raises(UserError, match='differs from torch by 1.0e'):
        export_model(trained, tmp_path / 'model.pt2')
    assert not any(tmp_path.iterdir())


def test_other_onnx_files_are_refused(classifier, tmp_path):
    onnx = pytest.importorskip('onnx', reason='onnx is not installed (extra: deploy)')
    value = onnx.helper.make_tensor_value_info('x', onnx.TensorProto.FLOAT, [1])
    other = onnx.helper.make_tensor_value_info('y', onnx.TensorProto.FLOAT, [1])
    node = onnx.helper.make_node('Relu', ['x'], ['y'])
    graph = onnx.helper.make_graph([node], 'g', [value], [other])
    opset = [onnx.helper.make_opsetid('', 20)]
    onnx.save(
        onnx.helper.make_model(graph, opset_imports=opset, ir_version=10),
        tmp_path / 'other.onnx',
    )
    args = [classifier.photos, '--out', tmp_path / 'a.csv']
    assert 'no metadata of bootmae export' in error_of(tmp_path / 'other.onnx', *args)
    (tmp_path / 'bad.onnx').write_text('no model')
    assert 'not a readable ONNX' in error_of(tmp_path / 'bad.onnx', *args)


def test_an_exported_segmentation_averages_the_same_windows(segmenter, tmp_path):
    pytest.importorskip('onnxruntime', reason='onnxruntime is not installed (deploy)')
    path, out = tmp_path / 'model.onnx', tmp_path / 'maps'
    run_tool('export.py', segmenter.folder, path)
    spec = OnnxModel(path, 'cpu').spec
    assert (spec.input_size, spec.stride) == ((128, 128), (56, 52))
    small = tmp_path / 'small.jpg'
    picture(small, (60, 70))
    predict(path, segmenter.photos, small, '--out', out)
    maps = np.stack([np.asarray(Image.open(out / f'{i}.png')) for i in range(4)])
    # A pixel whose two best classes are equal but for rounding may change.
    assert (maps == segmenter.expected).mean() > 0.999
    assert not (out / 'small.png').exists()
    assert 'no segmentation models' in export_error(
        segmenter.folder, tmp_path / 'a.safetensors'
    )
