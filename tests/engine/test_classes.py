"""Data, head or checkpoint with other classes: one error line before the training."""

import argparse

import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import MODELS
from PIL import Image

from bootmae_plugin import UserError
from bootmae_plugin.engine.classes import check_data_classes
from tests.tiny import ROOT, run_tool

DIGITS = 'configs/benchmarks/partial/deit-tiny_digits.py'
ARCH = dict(embed_dims=24, num_layers=3, num_heads=2)
TINY = [f'model.backbone.arch.{key}={value}' for key, value in ARCH.items()]
TINY += ['model.head.in_channels=24']


def classifier() -> torch.nn.Module:
    cfg = Config.fromfile(ROOT / 'configs/benchmarks/finetune/deit-tiny_folder.py')
    cfg.model.backbone.update(arch=ARCH, init_cfg=None)
    cfg.model.head.in_channels = 24
    return MODELS.build(dict(cfg.model, data_preprocessor=cfg.data_preprocessor))


def error_line(name, *args) -> str:
    with pytest.raises(SystemExit) as stop:
        run_tool(name, *args)
    line = stop.value.code
    assert isinstance(line, str), line
    assert line.startswith('error: ')
    assert '\n' not in line
    return line


@pytest.mark.parametrize(
    ('options', 'words'),
    [
        (['model.head.num_classes=100', 'data_preprocessor.num_classes=100'],
         ['training set has 10 classes', 'model.head.num_classes=100',
          'model.head.num_classes=10 data_preprocessor.num_classes=10']),
        (['model.head.num_classes=7'],
         ['data_preprocessor.num_classes=10', 'model.head.num_classes=7']),
    ],
)  # fmt: skip
def test_the_classes_of_data_and_config_must_agree(
    options, words, tmp_path, monkeypatch
):
    monkeypatch.chdir(ROOT)
    line = error_line('train.py', DIGITS.replace('.py', '_random.py'), '--work-dir',
                      tmp_path, '--cfg-options', *TINY,
                      'model.backbone.frozen_stages=1', *options)  # fmt: skip
    assert all(word in line for word in words), line
    assert not list(tmp_path.glob('*.pth'))


@pytest.fixture
def photos(tmp_path):
    for split in ('train', 'test'):
        for name in ('cat', 'dog'):
            folder = tmp_path / split / name
            folder.mkdir(parents=True)
            for i in range(4):
                Image.effect_noise((64, 64), 50).save(folder / f'{i}.png')
    return tmp_path


def folder_words(photos, number) -> list[str]:
    words = [
        f'{split}_dataloader.dataset.source.data_root={photos}/{name}'
        for split, name in (('train', 'train'), ('val', 'test'), ('test', 'test'))
    ]
    return [*words, *TINY, f'model.head.num_classes={number}', 'train_cfg.max_epochs=1',
            f'data_preprocessor.num_classes={number}', 'train_dataloader.batch_size=4',
            'train_dataloader.drop_last=False']  # fmt: skip


def test_a_checkpoint_with_other_classes_is_refused(photos, monkeypatch):
    monkeypatch.chdir(ROOT)
    path = photos / 'epoch_3.pth'
    torch.save(dict(state_dict=classifier().state_dict()), path)
    line = error_line(
        'test.py', 'configs/benchmarks/finetune/deit-tiny_folder.py', path,
        '--work-dir', photos / 'run', '--cfg-options', *folder_words(photos, 2),
        'model.backbone.arch._delete_=True',
    )  # fmt: skip
    for word in ('epoch_3.pth has 10 classes', 'model.head.num_classes=2',
                 'the config that trained it'):  # fmt: skip
        assert word in line, line


def test_training_and_test_folder_need_the_same_classes(photos, monkeypatch):
    monkeypatch.chdir(ROOT)
    (photos / 'test/dog').rename(photos / 'test/zebra')
    line = error_line(
        'train.py', 'configs/benchmarks/finetune/deit-tiny_folder_random.py',
        '--work-dir', photos / 'run', '--cfg-options', *folder_words(photos, 2),
        'model.backbone.arch._delete_=True',
    )  # fmt: skip
    assert 'validation set has other classes than the training set' in line
    assert 'zebra' in line


def test_labels_without_class_names_are_counted():
    model = classifier()
    data = argparse.Namespace(metainfo={}, labels=torch.tensor([0, 10]))
    with pytest.raises(UserError, match='has the label 10, but .*num_classes=10'):
        check_data_classes(model, data, 'training')
    data.labels = torch.tensor([0, 9])
    check_data_classes(model, data, 'training')
