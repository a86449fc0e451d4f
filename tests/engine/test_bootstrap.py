"""BootstrapHook: when stages start, what a resumed run does, schedules, bad input."""

import copy
import json
import logging

import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.registry import MODELS, RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.engine import BootstrapHook, bootstrap, strict_runner
from bootmae_plugin.engine.strict_runner import warn_without_hook
from bootmae_plugin.models import StageEncoder
from tests.reliability import resuming
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
    """Record stage, teacher and student of each epoch, and the rate of each step."""

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


def test_the_teacher_is_swapped_at_every_boundary(tmp_path):
    spy = Spy()
    train(tiny_config(tmp_path, epochs=6, stages=3), spy)
    assert spy.stages == [1, 1, 2, 2, 3, 3]
    # At a boundary the teacher takes the student's weights and keeps them.
    for epoch in (2, 4):
        assert same(spy.teachers[epoch], spy.students[epoch])
        assert same(spy.teachers[epoch], spy.teachers[epoch + 1])
        assert not same(spy.students[epoch], spy.students[epoch + 1])
    assert not same(spy.teachers[2], spy.teachers[4])
    for stage, epoch in ((1, 2), (2, 4), (3, 6)):
        kept = torch.load(tmp_path / f'stage_{stage}.pth', weights_only=False)
        assert int(kept['state_dict']['stage_number']) == stage
        assert kept['meta']['epoch'] == epoch
        assert ('optimizer' in kept) == (stage > 1)  # the last two stages are whole
    log = scalars(tmp_path)
    assert {r['stage'] for r in log} == {1, 2, 3}
    assert all(('loss_pixel' in r) == (r['stage'] == 1) for r in log)
    assert all(('explained_feature' in r) == (r['stage'] > 1) for r in log)


def test_one_stage_is_the_plain_masked_autoencoder(tmp_path):
    spy = Spy()
    train(tiny_config(tmp_path, epochs=3, stages=1), spy)
    assert spy.stages == [1, 1, 1]
    assert same(spy.teachers[0], spy.teachers[2])  # it took no weights
    assert [p.name for p in tmp_path.glob('stage_*')] == ['stage_1.pth']
    assert all(r['loss'] == r['loss_pixel'] for r in scalars(tmp_path) if 'loss' in r)


class StopAfter(Hook):
    """Interrupts the run after so many epochs."""

    priority = 'LOWEST'

    def __init__(self, epochs):
        self.epochs = epochs

    def after_train_epoch(self, runner):
        if runner.epoch + 1 == self.epochs:
            raise KeyboardInterrupt


@pytest.mark.parametrize('epochs', [1, 2, 3])
def test_a_resumed_run_has_its_stage_and_its_teacher(tmp_path, epochs):
    spy = Spy()
    cfg = tiny_config(tmp_path, epochs=4, stages=2)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, StopAfter(epochs))
    cfg.resume = True
    runner = train(cfg, spy)
    assert spy.stages == [1, 1, 2, 2][epochs:]
    assert runner.epoch == 4
    kept = torch.load(tmp_path / 'stage_1.pth', weights_only=False)['state_dict']
    encoder = {
        k.removeprefix('backbone.'): v
        for k, v in kept.items()
        if k.startswith('backbone.')
    }
    assert same(state(runner.model.target_generator.encoder), encoder)


def test_a_run_resumed_with_more_epochs_keeps_its_stages(tmp_path, warnings):
    spy = Spy()
    cfg = tiny_config(tmp_path, epochs=6, stages=3)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, StopAfter(3))
    cfg.train_cfg.max_epochs, cfg.resume = 8, True
    runner = train(cfg, spy)
    assert spy.stages == [2, 3, 3, 3, 3]  # a new run would start stage 3 at epoch 7
    assert runner.message_hub.runtime_info['stage_plan'] == dict(
        starts=[0, 2, 4], end=8, config=[0, 3, 6, 8]
    )
    assert warnings == [
        'epochs or stages have changed since the checkpoint: stage 2 of 3 continues, '
        'the next stages start at epoch 5; in the checkpoint 5, in a new run 7'
    ]


@pytest.fixture
def warnings(monkeypatch) -> list[str]:
    """What the hook logs as a warning."""
    found = []

    def collect(text, logger, level):
        assert (logger, level) == ('current', logging.WARNING)
        found.append(text)

    for module in (bootstrap, strict_runner):
        monkeypatch.setattr(module, 'print_log', collect)
    return found


class FakeRunner:
    """What the hook reads when a run is resumed."""

    iter = 1000

    def __init__(self, epoch, max_epochs, stage, **info):
        self.epoch, self.max_epochs, self.work_dir = epoch, max_epochs, 'nowhere'
        self.model = torch.nn.Module()
        self.model.stage = stage
        self.message_hub = self
        self.runtime_info = info

    def update_info(self, key, value):
        self.runtime_info[key] = value


def resumed(runner, **options) -> list[int]:
    hook = BootstrapHook(**options)
    hook._starts = hook.starts(runner.max_epochs)
    hook.before_train(runner)
    assert runner.runtime_info['stage_plan']['starts'] == hook._starts
    assert runner.runtime_info['num_stages'] == len(hook._starts)
    return hook._starts


def test_a_changed_plan_is_kept_when_the_run_is_resumed_again(warnings):
    plan = dict(starts=[0, 50, 100, 150], end=200, config=[0, 50, 100, 150, 200])
    runner = FakeRunner(120, 400, stage=3, stage_plan=plan)
    assert resumed(runner, num_stages=8) == [0, 50, 100, 150, 200, 250, 300, 350]
    assert warnings == [
        'epochs or stages have changed since the checkpoint: stage 3 of 8 continues, '
        'the next stages start at epoch 151, 201, 251, ...; in the checkpoint 151, in '
        'a new run 151, 201, 251, ...'
    ]
    warnings.clear()
    plan = dict(runner.runtime_info['stage_plan'])
    runner = FakeRunner(390, 400, stage=8, stage_plan=plan)
    assert resumed(runner, num_stages=8) == [0, 50, 100, 150, 200, 250, 300, 350]
    assert warnings == []


def test_a_rebuilt_schedule_is_that_of_the_stage_that_continues(warnings):
    plan = dict(starts=[0, 50, 100, 150], end=200, config=[0, 50, 100, 150, 200])
    runner = FakeRunner(120, 400, stage=3, stage_plan=plan)
    hook = BootstrapHook(num_stages=4, restart_schedule=True)
    hook._starts = hook.starts(400)
    built = []
    hook._restart_schedule = lambda runner, index: built.append(index)
    hook.before_train(runner)
    assert hook.rebuild_schedule(runner) == 100
    assert built == [2]  # a new run would be in stage 2, whose index is 1


def test_new_boundaries_hold_for_the_stages_to_come(warnings):
    plan = dict(starts=[0, 50, 100], end=200, config=[0, 50, 100, 200])
    runner = FakeRunner(70, 200, stage=2, stage_plan=plan)
    assert resumed(runner, boundaries=[30, 80, 90]) == [0, 50, 80, 90]
    assert len(warnings) == 1


@pytest.mark.parametrize(
    ('epoch', 'max_epochs', 'expected'),
    [
        (70, 200, [0, 20, 80, 140]),  # nothing has changed
        (70, 400, [0, 20, 80, 240]),  # stage 2 keeps its end
        (90, 400, [0, 20, 80, 140]),
        (190, 400, [0, 20, 80, 140]),  # no stage is added: stage 4 is longer
    ],
)
def test_shares_of_a_resumed_run_keep_what_has_started(
    epoch, max_epochs, expected, warnings
):
    plan = dict(starts=[0, 20, 80, 140], end=200, config=[0, 20, 80, 140, 200])
    stage = sum(start <= epoch for start in plan['starts'])
    runner = FakeRunner(epoch, max_epochs, stage, stage_plan=plan)
    assert resumed(runner, num_stages=4, boundaries=[0.1]) == expected
    assert len(warnings) == (max_epochs != 200)
    warnings.clear()
    runner = FakeRunner(epoch, max_epochs, stage, stage_plan=plan)
    assert resumed(runner, boundaries=[0.1, 0.4, 0.7]) == expected


@pytest.mark.parametrize(
    ('epoch', 'stage', 'expected', 'warned'),
    [
        (120, 2, [0, 100, 200, 300], False),  # nothing has changed
        (100, 1, [0, 100, 200, 300], False),  # stage 2 is due
        (120, 3, [0, 0, 0, 260], True),  # it was a run of 200 epochs
        (240, 2, [0, 0, 294, 347], True),  # it was a run of 800 epochs
    ],
)
def test_a_checkpoint_without_a_plan_tells_its_stage(
    epoch, stage, expected, warned, warnings
):
    runner = FakeRunner(epoch, 400, stage)
    assert resumed(runner, num_stages=4) == expected
    assert len(warnings) == warned


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
    options = dict(default_hooks__bootstrap__restart_schedule=True)
    whole, spy = Spy(), Spy()
    train(tiny_config(tmp_path / 'whole', 4, 2, **options), whole)
    cfg = tiny_config(tmp_path / 'cut', 4, 2, **options)
    with pytest.raises(KeyboardInterrupt):
        train(cfg, StopAfter(3))
    cfg.resume = True
    train(cfg, spy)
    assert spy.rates == pytest.approx(whole.rates[-len(spy.rates) :])


def test_student_reset_starts_each_stage_from_new_weights(tmp_path):
    spy = Spy()
    cfg = tiny_config(tmp_path, 2, 2, default_hooks__bootstrap__student='reset')
    train(cfg, spy)
    assert not same(spy.teachers[1], spy.students[1])


def test_a_short_first_stage_and_a_reset_student_resume_exactly(tmp_path):
    options = dict(
        default_hooks__bootstrap__boundaries=[0.25],
        default_hooks__bootstrap__student='reset',
    )
    stages = Spy()
    train(tiny_config(tmp_path / 'spied', 4, 2, **options), stages)
    assert stages.stages == [1, 2, 2, 2]
    options.update(epochs=4, stages=2)
    resuming.train(tmp_path / 'whole', **options)
    resuming.train(tmp_path / 'cut', stop=2, **options)
    resuming.train(tmp_path / 'cut', resume=True, **options)
    resuming.assert_same(tmp_path / 'cut/epoch_4.pth', tmp_path / 'whole/epoch_4.pth')


def test_the_teacher_is_told_the_images_of_a_step(tmp_path, monkeypatch):
    sizes = []
    monkeypatch.setattr(
        StageEncoder,
        'update',
        lambda self, student, epoch, max_epochs, batch_size: sizes.append(batch_size),
    )
    cfg = tiny_config(tmp_path, epochs=2, stages=2)
    cfg.optim_wrapper.accumulative_counts = 2
    train(cfg)  # each epoch has four batches of 16; stage 1 has no teacher
    assert sizes == [32, 32]


def test_bad_arguments():
    with pytest.raises(UserError, match='needs num_stages=K, or boundaries'):
        BootstrapHook()
    with pytest.raises(UserError, match="student='new'"):
        BootstrapHook(num_stages=2, student='new')


def test_too_many_stages_stop_before_training(tmp_path):
    with pytest.raises(UserError, match='num_stages=9'):
        train(tiny_config(tmp_path, epochs=4, stages=9))
    assert not list(tmp_path.glob('*.pth'))


def test_a_run_without_the_hook_says_what_stands_still(tmp_path, warnings):
    cfg = tiny_config(tmp_path)
    cfg.model.target_generator = dict(type='EMAEncoder')
    hooks = [BootstrapHook(num_stages=1)]
    model = MODELS.build(cfg.model)
    model.head['feature'].loss_warmup = 0.25
    warn_without_hook(model, hooks)
    assert warnings == []
    cfg.model.head.feature.loss_warmup = 0.25
    del cfg.default_hooks.bootstrap
    runner = RUNNERS.build(cfg)
    runner.build_train_loop(cfg.train_cfg)
    assert warnings == [
        "no BootstrapHook: the branch 'feature' never starts, the loss weight of the "
        "branch 'feature' stays at its start, the teacher does not follow the student; "
        "add default_hooks=dict(bootstrap=dict(type='BootstrapHook', num_stages=1))"
    ]


def test_a_plain_masked_autoencoder_needs_no_hook(tmp_path, warnings):
    cfg = tiny_config(tmp_path)
    cfg.model.head.feature = None
    cfg.model.target_generator = None
    warn_without_hook(MODELS.build(cfg.model), [])
    assert warnings == []
