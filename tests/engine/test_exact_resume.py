"""Stopped by a signal anywhere and resumed, a run ends as one that never stopped."""

import random

import numpy as np
import pytest
import torch
from mmpretrain.registry import DATASETS
from torch.utils.data import Dataset

from tests.resuming import assert_same, losses, train
from tests.tiny import tiny_config


@DATASETS.register_module()
class NoisyImages(Dataset):
    """Loads one image at a time, with noise of all three generators."""

    metainfo = {}

    def __len__(self):
        return 64

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + torch.rand(3, 8, 8)
        return dict(inputs=(60 * noise + index).byte(), sample_idx=index)


def plain(cfg):
    pass


def bf16(cfg):
    cfg.optim_wrapper.type = 'Bf16OptimWrapper'


def accumulation(cfg):
    """3 batches a step, of 4 an epoch: over the ends of the epochs."""
    cfg.optim_wrapper.accumulative_counts = 3


def workers(cfg, number=2):
    cfg.train_dataloader = dict(
        batch_size=16,
        num_workers=number,
        persistent_workers=number > 0,
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
        dataset=dict(type='NoisyImages'),
    )


def iterations(cfg):
    cfg.train_cfg = dict(type='IterBasedTrainLoop', max_iters=16, val_interval=99)
    cfg.train_dataloader.sampler = dict(type='InfiniteSampler')
    cfg.param_scheduler.convert_to_iter_based = False
    cfg.param_scheduler.update(by_epoch=False, end=16)
    cfg.default_hooks.pop('bootstrap')
    cfg.default_hooks.checkpoint.update(by_epoch=False, interval=5)
    cfg.log_processor = dict(by_epoch=False)


def variant(change, work_dir):
    cfg = tiny_config(work_dir)
    change(cfg)
    return cfg


@pytest.fixture(scope='module')
def untouched(tmp_path_factory):
    """Runs that nobody stopped, each once."""
    runs = {}

    def get(change):
        if change not in runs:
            work_dir = tmp_path_factory.mktemp('untouched') / 'run'
            runs[change] = train(work_dir, cfg=variant(change, work_dir))
        return runs[change]

    return get


@pytest.mark.parametrize('change', [plain, bf16, accumulation, workers, iterations])
@pytest.mark.parametrize('iteration', [2, 8, 11])  # 8: the last one of stage 1
def test_a_signal_within_an_epoch(change, iteration, untouched, tmp_path):
    work_dir = tmp_path / 'run'
    train(work_dir, stop=dict(iteration=iteration), cfg=variant(change, work_dir))
    assert (work_dir / 'last_checkpoint').read_text() == 'interrupted.pth'
    random.random(), np.random.rand(), torch.rand(3)  # between the two
    train(work_dir, resume=True, cfg=variant(change, work_dir))
    last = 'iter_16.pth' if change is iterations else 'epoch_4.pth'
    assert_same(work_dir / last, untouched(change) / last)
    assert losses(work_dir) == losses(untouched(change))
    kept = sorted(path.name for path in work_dir.glob('*.pth'))
    assert kept == sorted(path.name for path in untouched(change).glob('*.pth'))
