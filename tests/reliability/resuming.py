"""Helpers: runs that are stopped and resumed, and comparisons of their results."""

import json
import multiprocessing
import os
import random
import signal
import subprocess
import time
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.registry import DATASETS, HOOKS, RUNNERS
from torch.utils.data import Dataset

from bootmae_plugin.checkpoints.read import read_checkpoint
from bootmae_plugin.reliability import Interrupted
from dev.torture.runs import COMPARED, same
from tests.tiny import tiny_config


@DATASETS.register_module()
class NoisyImages(Dataset):
    """Data set that adds noise from all three random generators to each image."""

    metainfo = {}

    def __len__(self):
        return 64

    def __getitem__(self, index):
        noise = random.random() + np.random.rand() + torch.rand(3, 8, 8)
        return dict(inputs=(60 * noise + index).byte(), sample_idx=index)


class Stopped(Exception):
    """Exception that stops a run in these tests."""


@HOOKS.register_module()
class StopHook(Hook):
    """Stop the run after an epoch, before the hooks of a lower priority."""

    def __init__(self, epoch):
        self.epoch = epoch

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epoch:
            raise Stopped


@HOOKS.register_module()
class SignalHook(Hook):
    """Send the run a signal in an iteration of the training or of a validation.

    The workers of its data loaders get it, too, as from a scheduler.
    """

    def __init__(self, iteration=None, validation=None, number=signal.SIGTERM):
        self.iteration, self.validation, self.number = iteration, validation, number

    def before_train_iter(self, runner, batch_idx, data_batch=None):
        if runner.iter + 1 == self.iteration:
            self._signal()

    def before_val_epoch(self, runner):
        if runner.iter == self.validation:
            self._signal()

    def _signal(self):
        # From another process: torch ends a run that sends itself SIGTERM.
        processes = [child.pid for child in multiprocessing.active_children()]
        for pid in (*processes, os.getpid()):
            subprocess.run(['kill', f'-{int(self.number)}', str(pid)], check=True)


def train(work_dir, stop=None, resume=False, priority='LOWEST', cfg=None, **options):
    """Train for some seconds.

    ``stop`` is the epoch after which the run is killed, or the arguments of SignalHook.
    """
    if cfg is None:
        cfg = tiny_config(work_dir, **options)
    cfg.work_dir, cfg.resume = str(work_dir), resume
    hooks = []
    if isinstance(stop, dict):
        hooks = [dict(type='SignalHook', **stop)]
    elif stop:
        hooks = [dict(type='StopHook', epoch=stop, priority=priority)]
    cfg.custom_hooks = hooks
    cfg.default_hooks.logger.interval = 1
    # mmengine names runs and folders by the second, and shares loggers of one name.
    cfg.experiment_name = uuid.uuid4().hex
    while (Path(work_dir) / time.strftime('%Y%m%d_%H%M%S')).exists():
        time.sleep(0.1)
    runner = RUNNERS.build(cfg)
    if stop:
        with pytest.raises((Stopped, Interrupted)):
            runner.train()
    else:
        runner.train()
    return work_dir


def losses(work_dir, key='loss'):
    """Return a logged value of all iterations, in the order of the log."""
    lines = [
        json.loads(line)
        for path in sorted(Path(work_dir).glob('*/vis_data/scalars.json'))
        for line in path.read_text().splitlines()
    ]
    return [line[key] for line in lines if key in line]


def assert_same(ours, expected, keys=COMPARED):
    """Two checkpoints have the same weights, teacher, optimizer, random states."""
    ours, expected = read_checkpoint(ours), read_checkpoint(expected)
    assert [key for key in keys if not same(ours[key], expected[key])] == []
