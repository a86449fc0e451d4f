"""A run that is stopped by a signal and resumed equals an uninterrupted one."""

import multiprocessing
import random
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.read import read_checkpoint
from bootmae_plugin.cli.train import merge_args, parse_args
from bootmae_plugin.engine import autocast
from tests.reliability.resuming import assert_same, losses, train
from tests.tiny import ROOT, tiny_config


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


@pytest.fixture(scope='module', autouse=True)
def bf16_everywhere():
    """Use bfloat16 also on a processor that emulates it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(autocast, 'has_bf16', lambda device: True)
        yield


@pytest.fixture(scope='module')
def untouched(tmp_path_factory):
    """Uninterrupted runs; each is trained once."""
    runs = {}

    def get(change):
        if change not in runs:
            work_dir = tmp_path_factory.mktemp('untouched') / 'run'
            runs[change] = train(work_dir, cfg=variant(change, work_dir))
        return runs[change]

    return get


@pytest.mark.parametrize(
    ('change', 'iteration'),
    [
        (plain, 2),
        (plain, 8),  # the last one of stage 1
        (bf16, 11),
        (accumulation, 11),
        (workers, 11),
        (iterations, 11),
    ],
)
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


def classifier():
    """Finetuning with averaged weights, validated in every epoch."""
    cfg = Config.fromfile(ROOT / 'configs/benchmarks/finetune/deit-tiny_digits.py')
    cfg.merge_from_dict(
        {
            'model.backbone.arch': dict(embed_dims=24, num_layers=2, num_heads=2),
            'model.backbone.drop_path_rate': 0.2,
            'model.head.in_channels': 24,
            'train_dataloader.dataset.source.indices': 64,
            'val_dataloader.dataset.source.indices': 40,
            'val_dataloader.batch_size': 8,
            'train_cfg.val_interval': 1,
            'train_cfg.max_epochs': 3,
            'default_hooks.checkpoint': dict(interval=2, save_best='accuracy/top1'),
            'default_hooks.ema': dict(type='EMAHook', momentum=0.1),
            'runner_type': 'mmpretrain.PluginRunner',
            'launcher': 'none',
        }
    )
    cfg.model.backbone.pop('init_cfg')
    return cfg


# After epochs 1 and 2; a checkpoint of epoch 1 is not due.
@pytest.mark.parametrize('iteration', [2, 4])
def test_a_signal_within_a_validation(iteration, tmp_path):
    whole = train(tmp_path / 'whole', cfg=classifier())
    work_dir = train(
        tmp_path / 'run', stop=dict(validation=iteration), cfg=classifier()
    )
    assert read_checkpoint(work_dir / 'interrupted.pth')['meta']['iter'] == iteration
    train(work_dir, resume=True, cfg=classifier())
    assert_same(work_dir / 'epoch_3.pth', whole / 'epoch_3.pth')
    assert losses(work_dir) == losses(whole)
    best = [path.name for path in work_dir.glob('best_*.pth')]
    assert best == [path.name for path in whole.glob('best_*.pth')]
    assert_same(work_dir / best[0], whole / best[0], ['state_dict'])


def test_a_validation_that_a_kill_cut_short_is_made_up_for(tmp_path):
    work_dir = train(tmp_path / 'run', cfg=classifier())
    # Its checkpoints are written before their validation: as if killed within it.
    metric = losses(work_dir, 'accuracy/top1')
    train(work_dir, resume=True, cfg=classifier())
    assert losses(work_dir, 'accuracy/top1') == [*metric, metric[-1]]


@pytest.fixture
def whole_reads(monkeypatch):
    """Names of the checkpoints that torch loads completely."""
    reads, load = [], torch.load

    def counting(file, *args, mmap=None, **kwargs):
        if not mmap:
            reads.append(Path(getattr(file, 'name', file)).name)
        return load(file, *args, mmap=mmap, **kwargs)

    monkeypatch.setattr(torch, 'load', counting)
    return reads


@pytest.mark.parametrize('named', [False, True])
def test_a_resumed_checkpoint_is_read_once(named, whole_reads, tmp_path):
    work_dir = train(tmp_path / 'run', stop=1, epochs=2)
    cfg = tiny_config(work_dir, epochs=2)
    if named:
        cfg.load_from = str(work_dir / 'epoch_1.pth')
    train(work_dir, resume=True, cfg=cfg)
    assert whole_reads == ['epoch_1.pth']


def test_a_resumable_run_starts_from_load_from(tmp_path):
    given = train(tmp_path / 'other', epochs=1, stages=1) / 'epoch_1.pth'
    run = tmp_path / 'run'

    def start(epochs):
        cfg = tiny_config(run, epochs, stages=1, load_from=str(given))
        cfg.optim_wrapper.optimizer.lr = 0.0
        merge_args(cfg, parse_args([cfg.filename, '--resume']))
        train(run, resume=cfg.resume, cfg=cfg)
        return read_checkpoint(run / f'epoch_{epochs}.pth')

    first = start(1)
    theirs = read_checkpoint(given)['state_dict']
    for name, weight in first['state_dict'].items():
        torch.testing.assert_close(weight, theirs[name], msg=name)
    assert first['meta']['iter'] == 4  # it does not resume the given one
    assert start(2)['meta']['iter'] == 8  # but its own
    assert len(losses(run)) == 8


def test_a_broken_checkpoint_is_refused_before_anything_is_built(tmp_path):
    (tmp_path / 'broken.pth').write_bytes(b'broken')
    cfg = tiny_config(tmp_path / 'run', load_from=str(tmp_path / 'broken.pth'))
    with pytest.raises(UserError, match='broken.pth'):
        RUNNERS.build(cfg)
    assert not (tmp_path / 'run').exists()


def test_an_epoch_without_a_batch_is_refused(tmp_path):
    cfg = tiny_config(tmp_path, train_dataloader__drop_last=True)
    cfg.train_dataloader.batch_size = 65
    with pytest.raises(UserError, match='batch'):
        train(tmp_path, cfg=cfg)


def test_the_number_of_workers_does_not_matter(tmp_path):
    runs, others = [], set(multiprocessing.active_children())
    for number in (0, 2):
        cfg = tiny_config(tmp_path / str(number), epochs=2)
        workers(cfg, number)
        runs.append(train(tmp_path / str(number), cfg=cfg) / 'epoch_2.pth')
        # They have ended with the run.
        assert set(multiprocessing.active_children()) <= others
    assert_same(*runs)
