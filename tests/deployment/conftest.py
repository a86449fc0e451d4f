"""Runs of a tiny classifier and a tiny segmentation, and photos to predict."""

from pathlib import Path
from typing import NamedTuple

import mmengine
import numpy as np
import pytest
import torch
from PIL import Image

from bootmae_plugin.datasets.digits import load_digits_rgb
from tests.tiny import ROOT, run_tool, tiny_options

ARCH = dict(embed_dims=24, num_layers=2, num_heads=2)
NUMBER = 24  # photos


class Trained(NamedTuple):
    """A finished run.

    Attributes:
        folder: Its work dir.
        config: The config that it saved.
        checkpoint: Its checkpoint.
        photos: Folder of images of its test set, in the order of the set.
        expected: What ``tools/test.py`` predicts for them: probabilities (N, 10), or
            label maps.
    """

    folder: Path
    config: Path
    checkpoint: Path
    photos: Path
    expected: np.ndarray


def train_digits(folder: Path, protocol: str, *options: str) -> Trained:
    """Train on some digits for an epoch, and test on the digits that are the photos."""
    config = ROOT / f'configs/benchmarks/{protocol}/deit-tiny_digits.py'
    words = [f'model.backbone.arch.{key}={value}' for key, value in ARCH.items()]
    words += ['model.backbone.init_cfg=None', 'model.head.in_channels=24']
    words += ['model.head.init_cfg.std=1.0', *options]  # confident, so that errors show
    run_tool(
        'train.py', config, '--work-dir', folder / 'run', '--cfg-options', *words,
        'train_cfg.max_epochs=1', 'train_cfg.val_interval=9',
        'train_dataloader.dataset.source.indices=64',
    )  # fmt: skip
    checkpoint = folder / 'run/epoch_1.pth'
    run_tool(
        'test.py', config, checkpoint, '--work-dir', folder / 'test', '--out',
        folder / 'test.pkl', '--cfg-options', *words,
        f'test_dataloader.dataset.source.indices={NUMBER}',
    )  # fmt: skip
    scores = [row['pred_score'] for row in mmengine.load(folder / 'test.pkl')]
    photos = folder / 'photos'
    photos.mkdir()
    for i, image in enumerate(load_digits_rgb('test')[0][:NUMBER]):
        Image.fromarray(image).save(photos / f'{i:02}.png')
    expected = torch.stack(scores).numpy()
    return Trained(
        folder / 'run', folder / 'run/deit-tiny_digits.py', checkpoint, photos, expected
    )


@pytest.fixture(scope='session')
def classifier(tmp_path_factory) -> Trained:
    return train_digits(tmp_path_factory.mktemp('classifier'), 'finetune')


@pytest.fixture(scope='session')
def segmenter(tmp_path_factory) -> Trained:
    pytest.importorskip('mmseg', reason='mmsegmentation is not installed (extra: seg)')
    from tests.segmentation.seg_data import camvid
    from tests.segmentation.test_training import tiny, write

    folder = tmp_path_factory.mktemp('segmenter')
    options = {'train_cfg.max_epochs': 1, 'train_cfg.val_interval': 9}
    options['model.backbone.init_cfg'] = None
    options['model.backbone.arch.num_layers'] = 4  # the export's time grows with them
    options['model.backbone.out_indices'] = [0, 1, 2, 3]
    cfg = tiny('deit-tiny_camvid.py', camvid(folder / 'camvid', 4), **options)
    config = write(cfg, folder / 'camvid.py')
    run_tool('train.py', config, '--work-dir', folder / 'run')
    checkpoint = folder / 'run/epoch_1.pth'
    run_tool(
        'test.py', config, checkpoint, '--work-dir', folder / 'test', '--out',
        folder / 'test.pkl',
    )  # fmt: skip
    tested = mmengine.load(folder / 'test.pkl')
    maps = [row['pred_sem_seg']['data'][0].numpy() for row in tested]
    return Trained(
        folder / 'run', folder / 'run/camvid.py', checkpoint,
        folder / 'camvid/img_dir/test', np.stack(maps),
    )  # fmt: skip


@pytest.fixture(scope='session')
def encoder(tmp_path_factory) -> Path:
    """The folder of a pretraining."""
    folder = tmp_path_factory.mktemp('encoder') / 'run'
    config = ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py'
    run_tool(
        'train.py', config, '--work-dir', folder, '--cfg-options', *tiny_options(),
        'train_cfg.max_epochs=1', 'default_hooks.bootstrap.num_stages=1',
    )  # fmt: skip
    return folder
