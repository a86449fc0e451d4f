"""The command reconstruct: whatever is given, a picture or one line."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image

from bootmae_plugin.cli import reconstruct
from bootmae_plugin.visualization import pictures
from tests.tiny import ROOT, tiny_config

LINEAR = ROOT / 'configs/benchmarks/linear/deit-tiny_digits.py'


@pytest.fixture(scope='module')
def pretraining(tmp_path_factory):
    """Config and checkpoint of a tiny pretraining with block masks."""
    root = tmp_path_factory.mktemp('reconstruct')
    masking = dict(type='BlockMasking', min_area=3, max_area=7, mask_ratio=0.7)
    cfg = tiny_config(root, model__masking=masking)
    cfg.dump(root / 'config.py')
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    torch.save(dict(state_dict=model.state_dict()), root / 'stage_1.pth')
    return [str(root / 'config.py'), str(root / 'stage_1.pth')]


@pytest.fixture
def masks(monkeypatch):
    """The maskings that the pictures were drawn with."""
    used = []
    original = pictures.reconstruct

    def spy(model, images):
        used.append(model.masking)
        return original(model, images)

    monkeypatch.setattr(pictures, 'reconstruct', spy)
    return used


@pytest.mark.parametrize('options', [[], ['--mask-ratio', '0.5'], ['--sweep']])
def test_block_masks_keep_their_options(pretraining, masks, options, tmp_path):
    out = tmp_path / 'new/picture.png'
    reconstruct.main([*pretraining, '--out', str(out), '--number', '2', *options])
    assert np.asarray(Image.open(out)).std() > 10
    ratios = [masking.mask_ratio for masking in masks]
    if options == ['--sweep']:
        assert ratios == [0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9]
    else:
        assert ratios == [0.5 if options else 0.7]
    for masking in masks:
        assert type(masking).__name__ == 'BlockMasking'
        assert (masking.min_area, masking.max_area) == (3, 7)


def test_files_and_folders(pretraining, tmp_path, capsys):
    for i in range(3):
        image = Image.effect_noise((40 + i, 50), 60).convert('RGB')
        image.save(tmp_path / f'{i}.png')
    out = tmp_path / 'out/a.png'
    words = [str(tmp_path / '0.png'), str(tmp_path), '--out', str(out)]
    reconstruct.main([*pretraining, *words])
    assert capsys.readouterr().out == f'picture: {out}\n'
    assert out.exists()


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (['--number', '0'], '--number 0 must be positive'),
        (['--mask-ratio', '1.5'], 'mask_ratio=1.5'),
        (['--mask-ratio', '0.999'], '0 of 64 patches visible'),
        (['nothing.png'], 'nothing.png does not exist'),
    ],
)
def test_bad_options(pretraining, words, message):
    with pytest.raises(SystemExit, match=f'error: .*{message}'):
        reconstruct.main([*pretraining, *words])


def test_a_classifier_has_nothing_to_reconstruct(pretraining, tmp_path):
    """A config of a classifier, or its checkpoint, is one helpful line."""
    cfg = Config.fromfile(LINEAR)
    cfg.model.backbone.init_cfg = None
    model = MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))
    path = tmp_path / 'epoch_1.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    with pytest.raises(SystemExit) as stopped:
        reconstruct.main([str(LINEAR), str(path)])
    assert stopped.value.code == (
        f'error: {LINEAR} trains no masked autoencoder (model.type=ImageClassifier): '
        'give a config below configs/selfsup/'
    )
    with pytest.raises(SystemExit) as stopped:
        reconstruct.main([pretraining[0], str(path)])
    assert 'give a checkpoint that' in stopped.value.code
    assert '\n' not in stopped.value.code


def test_a_config_of_segmentation(pretraining):
    config = ROOT / 'configs/benchmarks/segmentation/deit-tiny_digit-scenes.py'
    with pytest.raises(SystemExit, match='model.type=EncoderDecoder'):
        reconstruct.main([str(config), pretraining[1]])
