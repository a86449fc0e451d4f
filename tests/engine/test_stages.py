"""The stages of a run: when they start, and which of their checkpoints stay."""

from pathlib import Path
from types import SimpleNamespace

import pytest
import torch
from mmpretrain.registry import MODELS, RUNNERS
from torch import nn

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.strip import strip_checkpoint
from bootmae_plugin.engine import BootstrapHook, stages
from bootmae_plugin.engine.stages import (
    keep_started_stages,
    plan_stages,
    shown_epochs,
)
from bootmae_plugin.reliability.work_dir import read_newest_checkpoint
from tests.tiny import tiny_config


@pytest.mark.parametrize(
    ('stages', 'epochs', 'starts'),
    [
        (1, 5, [0]),
        (4, 200, [0, 50, 100, 150]),
        (3, 8, [0, 3, 6]),
        (5, 5, [0, 1, 2, 3, 4]),
    ],
)
def test_stages_divide_the_epochs(stages, epochs, starts):
    assert plan_stages(stages, None, epochs) == starts


@pytest.mark.parametrize(
    ('stages', 'boundaries', 'epochs', 'starts'),
    [
        (None, [40], 200, [0, 40]),
        (None, [0.25], 25, [0, 6]),  # round(6.25)
        (None, [0.1, 0.5], 8, [0, 1, 4]),
        (None, [0.1, 0.12], 8, [0, 1, 2]),  # a stage has at least one epoch
        (4, [0.1], 100, [0, 10, 40, 70]),
        (4, [10, 20], 100, [0, 10, 20, 60]),
        (2, [30], 100, [0, 30]),
        (3, [], 9, [0, 3, 6]),
    ],
)
def test_boundaries_are_epochs_or_shares_of_the_run(stages, boundaries, epochs, starts):
    assert plan_stages(stages, boundaries, epochs) == starts


@pytest.mark.parametrize(
    ('stages', 'boundaries', 'words'),
    [
        (5, None, 'num_stages=5.*epochs .4.'),
        (0, None, 'num_stages=0'),
        (None, [2, 2], 'must increase'),
        (None, [3, 2], 'must increase'),
        (None, [4], 'must increase'),
        (None, [0], 'must increase'),
        (None, [1.5], 'must increase'),
        (None, [0.9, 0.95], 'must increase'),
        (1, [2], 'num_stages=1 does not fit the 1 boundaries'),
        (4, [2], 'num_stages=4 does not fit the 1 boundaries'),
    ],
)
def test_stages_that_do_not_fit_are_refused(stages, boundaries, words):
    with pytest.raises(UserError, match=words):
        plan_stages(stages, boundaries, 4)


K4 = [0, 50, 100, 150]  # four stages in 200 epochs


@pytest.mark.parametrize(
    ('num_stages', 'epoch', 'max_epochs', 'expected'),
    [
        (4, 120, 400, [0, 50, 100, 150]),  # stage 3 goes on, stage 4 is longer
        (4, 30, 400, [0, 50, 167, 284]),  # three stages divide epochs 50 to 400
        (4, 50, 400, [0, 50, 100, 250]),  # stage 2 starts now, as planned
        (8, 120, 400, [0, 50, 100, 150, 200, 250, 300, 350]),
        (8, 120, 200, [0, 50, 100, 150, 160, 170, 180, 190]),
        (2, 120, 200, [0, 50, 100]),  # what has started cannot be undone
        (4, 120, 160, [0, 50, 100, 150]),
        (4, 120, 150, [0, 50, 100, 135]),  # stage 3 has to end earlier
        (4, 180, 190, [0, 50, 100, 150]),
        (8, 200, 400, [0, 50, 100, 150, 200, 250, 300, 350]),  # after the run's end
    ],
)
def test_started_stages_keep_their_epochs(num_stages, epoch, max_epochs, expected):
    assert keep_started_stages(num_stages, K4, 200, epoch, max_epochs) == expected


def test_fewer_epochs_than_stages_are_refused():
    with pytest.raises(UserError, match='3 epochs are left after epoch 120.*4 more'):
        keep_started_stages(7, K4, 200, 120, 123)
    assert keep_started_stages(5, K4, 200, 120, 123)[3:] == [121, 122]


def test_few_epochs_are_shown():
    assert shown_epochs([]) == 'none'
    assert shown_epochs([0, 49]) == '1, 50'
    assert shown_epochs([0, 1, 2, 3]) == '1, 2, 3, ...'


class Head:
    """A branch of the model that is trained from a first to a last stage."""

    def __init__(self, first, last):
        self.first, self.last = first, last

    def active(self, stage):
        return self.first <= stage <= self.last


class Model(nn.Module):
    """As much of the algorithm as saving a stage needs."""

    def __init__(self):
        super().__init__()
        self.backbone, self.neck = nn.Linear(2, 2), nn.Linear(2, 2)
        self.head = dict(pixel=Head(1, 1), feature=Head(2, 1000))
        self.stage = 1


class Runner:
    """A runner whose training does nothing but end epochs, one in each stage."""

    def __init__(self, work_dir, stages):
        self.work_dir, self.max_epochs, self.epoch = str(work_dir), stages, 0
        info = {}
        self.message_hub = SimpleNamespace(
            runtime_info=info, update_info=info.__setitem__
        )
        self.logger = SimpleNamespace(info=lambda text: None)
        self.model = Model()

    def save_checkpoint(self, folder, name, by_epoch):
        content = dict(
            meta=dict(epoch=self.epoch + 1, iter=self.epoch + 1),
            state_dict=self.model.state_dict(),
            optimizer=torch.ones(9),
        )
        torch.save(content, f'{folder}/{name}')

    def train(self, hook, until=None):
        hook._starts = hook.starts(self.max_epochs)
        while self.epoch < (until or self.max_epochs):
            self.model.stage = self.epoch + 1
            hook.after_train_epoch(self)
            self.epoch += 1


def listed(folder) -> dict[int, set[str]]:
    """Stage -> what its checkpoint has: 'optimizer', 'neck', 'backbone'."""
    found = {}
    for path in folder.glob('stage_*.pth'):
        content = torch.load(path)
        parts = {key.split('.')[0] for key in content['state_dict']}
        found[int(path.stem[6:])] = parts | ({'optimizer'} & content.keys())
    return found


WHOLE = {'optimizer', 'neck', 'backbone'}
WEIGHTS = {'neck', 'backbone'}
ENCODER = {'backbone'}


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        ({}, {1: WEIGHTS, 10: ENCODER, 20: ENCODER, 24: WHOLE, 25: WHOLE}),
        (
            dict(keep_stages=1, keep_every=8),
            {1: WEIGHTS, 8: ENCODER, 16: ENCODER, 24: ENCODER, 25: WHOLE},
        ),
        (dict(keep_stages=None), dict.fromkeys(range(1, 26), WHOLE)),
    ],
)
def test_of_25_stages_those_stay_that_the_hook_keeps(options, expected, tmp_path):
    Runner(tmp_path, 25).train(BootstrapHook(num_stages=25, **options))
    assert listed(tmp_path) == expected


def test_a_whole_file_stays_until_the_next_one_is_written(tmp_path):
    runner, hook = Runner(tmp_path, 9), BootstrapHook(num_stages=9, keep_stages=1)
    runner.train(hook, until=5)

    def fail(*args, **kwargs):
        raise UserError('the disk is full')

    runner.save_checkpoint = fail
    with pytest.raises(UserError, match='full'):
        runner.train(hook)
    assert listed(tmp_path) == {1: WEIGHTS, 5: WHOLE}


def test_files_that_the_run_did_not_write_stay(tmp_path):
    torch.save(dict(state_dict={'backbone.a': torch.ones(1)}), tmp_path / 'stage_3.pth')
    runner, hook = Runner(tmp_path, 9), BootstrapHook(num_stages=9)
    runner.epoch = 4  # the run was resumed, and its checkpoint knows no stages
    runner.train(hook)
    assert listed(tmp_path) == {3: ENCODER, 8: WHOLE, 9: WHOLE}


def test_a_file_that_cannot_be_reduced_stays_and_is_tried_again(tmp_path, monkeypatch):
    runner, hook = Runner(tmp_path, 9), BootstrapHook(num_stages=9, keep_every=3)
    runner.train(hook, until=4)
    path = tmp_path / 'stage_3.pth'
    intact = path.read_bytes()
    path.write_bytes(intact[:-100])
    log = []
    monkeypatch.setattr(stages, 'print_log', lambda text, *_, **__: log.append(text))
    runner.train(hook, until=6)
    assert len(log) == 2 and all('stage_3.pth stays as it is' in text for text in log)
    assert runner.message_hub.runtime_info['whole_stages'] == [3, 5, 6]
    path.write_bytes(intact)
    runner.train(hook, until=7)
    assert listed(tmp_path) == {1: WEIGHTS, 3: ENCODER, 6: WHOLE, 7: WHOLE}


@pytest.mark.parametrize('moment', ['before', 'within', 'after'])
def test_a_killed_run_reduces_the_rest_later(moment, tmp_path, monkeypatch):
    runner, hook = Runner(tmp_path, 9), BootstrapHook(num_stages=9, keep_every=2)
    runner.train(hook, until=5)
    known = dict(runner.message_hub.runtime_info)  # as the checkpoint of epoch 5 has it
    strip = stages.strip_checkpoint

    def killed(*args):
        if moment == 'after':
            strip(*args)
        raise KeyboardInterrupt

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt):
        if moment == 'within':  # the new file is written, but not renamed
            patch.setattr(Path, 'replace', killed)
        else:
            patch.setattr(stages, 'strip_checkpoint', killed)
        runner.train(hook)
    assert listed(tmp_path)[4] == (ENCODER if moment == 'after' else WHOLE)
    runner.message_hub.runtime_info.update(known)
    runner.epoch = 5
    runner.train(hook)
    assert listed(tmp_path) == {
        1: WEIGHTS, 2: ENCODER, 4: ENCODER, 6: ENCODER, 8: WHOLE, 9: WHOLE
    }  # fmt: skip


def test_no_run_is_resumed_from_a_reduced_file(tmp_path):
    runner, hook = Runner(tmp_path, 9), BootstrapHook(num_stages=9, keep_every=2)
    runner.train(hook, until=4)
    assert read_newest_checkpoint(tmp_path)[0].name == 'stage_4.pth'
    for stage in (3, 4):
        (tmp_path / f'stage_{stage}.pth').unlink()
    assert listed(tmp_path) == {1: WEIGHTS, 2: ENCODER}
    assert read_newest_checkpoint(tmp_path) is None


def test_bad_numbers_are_refused():
    with pytest.raises(UserError, match='keep_stages=0 must be'):
        BootstrapHook(num_stages=2, keep_stages=0)
    with pytest.raises(UserError, match='keep_every=None must be'):
        BootstrapHook(num_stages=2, keep_every=None)


@pytest.mark.parametrize(
    ('prefix', 'words'),
    [('', 'no run can be resumed from'), ('backbone.', 'keeps only the weights')],
)
def test_resuming_from_a_reduced_file_is_one_line(prefix, words, tmp_path):
    cfg = tiny_config(tmp_path / 'run', epochs=1, stages=1)
    model = MODELS.build(cfg.model)
    path = tmp_path / 'stage_1.pth'
    torch.save(dict(meta=dict(epoch=1), state_dict=model.state_dict()), path)
    strip_checkpoint(path, prefix)
    cfg.resume, cfg.load_from = True, str(path)
    with pytest.raises(UserError, match=words):
        RUNNERS.build(cfg).train()
