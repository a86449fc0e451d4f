"""The hook: when stages start, what is kept, resuming, schedules, bad input."""

import copy
import json

import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.engine import BootstrapHook
from tests.tiny import tiny_config


def train(cfg, *hooks):
    runner = RUNNERS.build(copy.deepcopy(cfg))
    for hook in hooks:
        runner.register_hook(hook)
    runner.train()
    return runner


def scalars(work_dir):
    files = sorted(work_dir.glob('*/vis_data/scalars.json'))
    return [json.loads(line) for f in files for line in f.read_text().splitlines()]


class Spy(Hook):
    """Notes stage, teacher and learning rate at the start of every epoch."""

    priority = 'LOWEST'

    def __init__(self):
        self.stages, self.teachers, self.students, self.rates = [], [], [], []

    def before_train_epoch(self, runner):
        self.stages.append(runner.model.stage)
        self.teachers.append(state(runner.model.target_generator.encoder))
        self.students.append(state(runner.model.backbone))

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self.rates.append(runner.optim_wrapper.param_groups[0]['lr'])


def state(module):
    return {k: v.clone() for k, v in module.state_dict().items()}


def same(a, b):
    return a.keys() == b.keys() and all(torch.equal(a[k], b[k]) for k in a)


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
    assert BootstrapHook(num_stages=stages).starts(epochs) == starts


def test_the_teacher_is_swapped_at_every_boundary(tmp_path):
    spy = Spy()
    train(tiny_config(tmp_path, epochs=6, stages=3), spy)
    assert spy.stages == [1, 1, 2, 2, 3, 3]
    # At a boundary the teacher takes the student, then stays while that moves.
    for epoch in (2, 4):
        assert same(spy.teachers[epoch], spy.students[epoch])
        assert same(spy.teachers[epoch], spy.teachers[epoch + 1])
        assert not same(spy.students[epoch], spy.students[epoch + 1])
    assert not same(spy.teachers[2], spy.teachers[4])
    for stage, epoch in ((1, 2), (2, 4), (3, 6)):
        kept = torch.load(tmp_path / f'stage_{stage}.pth', weights_only=False)
        assert int(kept['state_dict']['stage_number']) == stage
        assert kept['meta']['epoch'] == epoch
    log = scalars(tmp_path)
    assert {r['stage'] for r in log} == {1, 2, 3}
    assert all(('loss_pixel' in r) == (r['stage'] == 1) for r in log)
    assert all(('explained_feature' in r) == (r['stage'] > 1) for r in log)


def test_one_stage_is_the_plain_masked_autoencoder(tmp_path):
    spy = Spy()
    train(tiny_config(tmp_path, epochs=3, stages=1), spy)
    assert spy.stages == [1, 1, 1]
    assert same(spy.teachers[0], spy.teachers[2])  # it never took anything
    assert [p.name for p in tmp_path.glob('stage_*')] == ['stage_1.pth']
    assert all(r['loss'] == r['loss_pixel'] for r in scalars(tmp_path) if 'loss' in r)


@pytest.mark.parametrize('stopped_after', [1, 2, 3])
def test_resuming_goes_on_in_the_right_stage_with_the_right_teacher(
    tmp_path, stopped_after
):
    class Stop(Hook):
        priority = 'LOWEST'

        def after_train_epoch(self, runner):
            if runner.epoch + 1 == stopped_after:
                raise KeyboardInterrupt

    whole_spy, spy = Spy(), Spy()
    train(tiny_config(tmp_path / 'whole', epochs=4, stages=2), whole_spy)
    cfg = tiny_config(tmp_path / 'cut', epochs=4, stages=2)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, Stop())
    cfg.resume = True
    runner = train(cfg, spy)
    assert spy.stages == whole_spy.stages[stopped_after:]
    assert runner.epoch == 4
    kept = torch.load(tmp_path / 'cut/stage_1.pth', weights_only=False)['state_dict']
    encoder = {
        k.removeprefix('backbone.'): v
        for k, v in kept.items()
        if k.startswith('backbone.')
    }
    assert same(state(runner.model.target_generator.encoder), encoder)


def test_restart_replays_the_schedule_in_every_stage(tmp_path):
    spy = Spy()
    cfg = tiny_config(tmp_path, 4, 2, default_hooks__bootstrap__restart_schedule=True)
    train(cfg, spy)
    half = len(spy.rates) // 2
    assert spy.rates[:half] == pytest.approx(spy.rates[half:])
    base = cfg.optim_wrapper.optimizer.lr * 16 / 512
    assert max(spy.rates) == pytest.approx(base, rel=0.2)

    once = Spy()
    train(tiny_config(tmp_path / 'once', 4, 2), once)
    assert once.rates[-1] < 0.1 * max(once.rates)
    assert once.rates[half:] == sorted(once.rates[half:], reverse=True)


def test_restart_resumes_in_the_second_stage(tmp_path):
    class Stop(Hook):
        def before_train_epoch(self, runner):
            if runner.epoch == 3:
                raise KeyboardInterrupt

    options = dict(default_hooks__bootstrap__restart_schedule=True)
    whole, spy = Spy(), Spy()
    train(tiny_config(tmp_path / 'whole', 4, 2, **options), whole)
    cfg = tiny_config(tmp_path / 'cut', 4, 2, **options)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, Stop())
    cfg.resume = True
    train(cfg, spy)
    assert spy.rates == pytest.approx(whole.rates[-len(spy.rates) :])


def test_student_reset_starts_each_stage_from_new_weights(tmp_path):
    spy = Spy()
    cfg = tiny_config(tmp_path, 2, 2, default_hooks__bootstrap__student='reset')
    train(cfg, spy)
    assert not same(spy.teachers[1], spy.students[1])


@pytest.mark.parametrize(
    ('arguments', 'epochs', 'words'),
    [
        (dict(num_stages=5), 4, 'num_stages=5.*epochs .4.'),
        (dict(num_stages=0), 4, 'num_stages=0'),
        (dict(boundaries=[2, 2]), 4, 'must increase'),
        (dict(boundaries=[3, 2]), 4, 'must increase'),
        (dict(boundaries=[4]), 4, 'must increase'),
        (dict(boundaries=[0]), 4, 'must increase'),
    ],
)
def test_stages_that_do_not_fit(arguments, epochs, words):
    with pytest.raises(UserError, match=words):
        BootstrapHook(**arguments).starts(epochs)


def test_bad_arguments():
    with pytest.raises(UserError, match='exactly one'):
        BootstrapHook()
    with pytest.raises(UserError, match='exactly one'):
        BootstrapHook(num_stages=2, boundaries=[1])
    with pytest.raises(UserError, match="student='new'"):
        BootstrapHook(num_stages=2, student='new')


def test_too_many_stages_stop_before_training(tmp_path):
    with pytest.raises(UserError, match='num_stages=9'):
        train(tiny_config(tmp_path, epochs=4, stages=9))
    assert not list(tmp_path.glob('*.pth'))
