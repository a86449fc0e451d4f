"""Checkpoints are complete or absent; resumed runs equal uninterrupted ones."""

import random
import shutil
import uuid
from pathlib import Path

import numpy as np
import pytest
import torch
from mmengine.logging import MessageHub, MMLogger

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.read import read_checkpoint
from bootmae_plugin.checkpoints.write import CannotWrite, write_whole
from bootmae_plugin.reliability import SafeCheckpointHook
from bootmae_plugin.reliability import runner as runner_module
from bootmae_plugin.reliability.checkpoint_hook import RemoveLater
from bootmae_plugin.reliability.resume import random_state, set_random_state
from bootmae_plugin.reliability.runner import ignore_full_disk
from bootmae_plugin.reliability.work_dir import read_newest_checkpoint
from tests.reliability.resuming import assert_same, losses, train


@pytest.fixture(scope='module')
def uninterrupted(tmp_path_factory):
    return train(tmp_path_factory.mktemp('whole') / 'run')


@pytest.mark.parametrize('epoch', [1, 2, 3])  # in a stage, and where stage 2 starts
def test_a_resumed_run_equals_one_that_never_stopped(epoch, uninterrupted, tmp_path):
    work_dir = train(tmp_path / 'run', stop=epoch)
    # What draws numbers between the two must not matter.
    random.random(), np.random.rand(), torch.rand(3)
    train(work_dir, resume=True)
    assert_same(work_dir / 'epoch_4.pth', uninterrupted / 'epoch_4.pth')
    assert losses(work_dir) == losses(uninterrupted)


def test_a_run_killed_at_a_stage_switch_has_all_its_checkpoints(
    uninterrupted, tmp_path
):
    # After stage_1.pth, before epoch_2.pth.
    work_dir = train(tmp_path / 'run', stop=2, priority=85)
    assert (work_dir / 'stage_1.pth').exists()
    assert not (work_dir / 'epoch_2.pth').exists()
    train(work_dir, resume=True)
    for name in ('stage_1.pth', 'stage_2.pth', 'epoch_4.pth'):
        assert_same(work_dir / name, uninterrupted / name)


def test_without_the_random_state_it_would_differ(uninterrupted, tmp_path):
    work_dir = train(tmp_path / 'run', stop=2)
    content = read_checkpoint(work_dir / 'epoch_2.pth')
    content['random_states'] = None
    torch.save(content, work_dir / 'epoch_2.pth')
    train(work_dir, resume=True)
    assert losses(work_dir) != losses(uninterrupted)


def test_random_states_go_on():
    state = random_state()
    drawn = [random.random(), np.random.rand(), torch.rand(1).item()]
    set_random_state(state)
    assert drawn == [random.random(), np.random.rand(), torch.rand(1).item()]


def test_another_number_of_processes_is_said(uninterrupted, tmp_path):
    work_dir = train(tmp_path / 'run', stop=2)
    content = read_checkpoint(work_dir / 'epoch_2.pth')
    content['random_states'] *= 2
    torch.save(content, work_dir / 'epoch_2.pth')
    train(work_dir, resume=True)
    logs = '\n'.join(path.read_text() for path in work_dir.glob('*/*.log'))
    assert 'resumed on 1 processes a run of 2' in logs


def test_a_flipped_bit_anywhere_is_noticed_or_harmless(tmp_path):
    weights = torch.randn(200)
    path, generator = tmp_path / 'a.pth', random.Random(0)
    torch.save(dict(state_dict=dict(a=weights)), path)
    whole, refused = path.read_bytes(), 0
    for position in range(0, len(whole), 3):
        flipped = bytearray(whole)
        flipped[position] ^= 1 << generator.randrange(8)
        path.write_bytes(flipped)
        try:
            assert torch.equal(read_checkpoint(path)['state_dict']['a'], weights)
        except UserError as error:
            assert '\n' not in str(error)
            refused += 1
    assert refused > len(whole) / 6  # most are noticed, the others are padding


def test_a_save_that_fails_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_text('old')

    def fail(partial):
        partial.write_text('half')
        raise OSError(28, 'No space left on device')

    with pytest.raises(UserError, match='No space left'):
        write_whole(path, fail)
    assert path.read_text() == 'old'
    assert [p.name for p in tmp_path.iterdir()] == ['a.pth']
    write_whole(path, lambda partial: partial.write_text('new'))
    assert path.read_text() == 'new'


def test_a_process_killed_within_a_save_leaves_the_old_file(tmp_path):
    path = tmp_path / 'a.pth'
    path.write_text('old')

    class Killed(BaseException):
        pass

    def killed(partial):
        partial.write_text('half')
        raise Killed

    with pytest.raises(Killed):
        write_whole(path, killed)
    assert path.read_text() == 'old'
    shutil.copy(path, tmp_path / 'epoch_1.pth')
    with pytest.raises(UserError):  # the partial file is not taken for a checkpoint
        read_newest_checkpoint(tmp_path)


def test_a_disk_that_is_full_may_be_no_reason_to_stop(tmp_path, monkeypatch):
    writes = []

    def fail_in_epoch_2(path, write):
        writes.append(path.name)
        if path.name == 'epoch_2.pth':
            raise CannotWrite('No space left')
        write_whole(path, write)

    monkeypatch.setattr(runner_module, 'write_whole', fail_in_epoch_2)
    with pytest.raises(CannotWrite, match='No space left'):
        train(tmp_path / 'stops', stages=1)
    options = dict(stages=1, default_hooks__checkpoint__on_error='continue')
    work_dir = train(tmp_path / 'goes_on', **options)
    kept = sorted(path.name for path in work_dir.glob('*.pth'))
    assert kept == ['epoch_3.pth', 'epoch_4.pth', 'stage_1.pth']
    content = read_checkpoint(work_dir / 'epoch_4.pth')
    assert content['message_hub']['runtime_info']['keep_ckpt_ids'] == [3, 4]
    log = '\n'.join(path.read_text() for path in work_dir.glob('*/*.log'))
    assert 'not saved, training goes on: No space left' in log


def test_losses_that_a_full_disk_does_not_take_are_left_out():
    errors = [OSError(28, 'No space left on device'), None, OSError(13, 'denied')]

    def write(number):
        if errors[number] is not None:
            raise errors[number]

    tried = ignore_full_disk(write)
    assert tried(0) is tried(1) is None
    with pytest.raises(OSError, match='denied'):
        tried(2)


def test_what_a_kill_left_is_removed_when_the_run_goes_on(tmp_path, monkeypatch):
    # As if killed before removing epoch 1.
    monkeypatch.setattr(RemoveLater, 'remove_noted', lambda self: self.names.clear())
    work_dir = train(tmp_path / 'run', stop=3)
    assert (work_dir / 'epoch_1.pth').exists()
    monkeypatch.undo()
    train(work_dir, resume=True)
    kept = sorted(path.name for path in work_dir.glob('epoch_*.pth'))
    assert kept == ['epoch_3.pth', 'epoch_4.pth']


class FakeRunner:
    """What SafeCheckpointHook asks a runner for; writes files, or fails to."""

    def __init__(self, work_dir, state=None):
        self.work_dir, self.epoch, self.iter = str(work_dir), 0, 0
        self.message_hub, self.logger = MessageHub(uuid.uuid4().hex), MMLogger('fake')
        self.message_hub.runtime_info.update(state or {})
        self.fails = lambda name: None

    def save_checkpoint(self, out_dir, filename, *args, **kwargs):
        self.fails(filename)
        Path(out_dir, filename).write_text(str(self.epoch))

    def validated(self, hook, epoch, **metrics):
        self.epoch = self.iter = epoch
        hook.after_val_epoch(self, metrics)
        return sorted(path.name for path in Path(self.work_dir).glob('best_*'))


@pytest.fixture
def best(tmp_path):
    """The hook, by two metrics, after an epoch that was the best by both."""
    hook = SafeCheckpointHook(save_best=['a', 'b'], rule='greater', by_epoch=True)
    runner = FakeRunner(tmp_path)
    hook.before_train(runner)
    assert runner.validated(hook, 1, a=1, b=1) == ['best_a_epoch_1.pth', B_1]
    return hook, runner


B_1, A_2 = 'best_b_epoch_1.pth', 'best_a_epoch_2.pth'


def test_the_best_checkpoint_is_replaced_when_the_new_one_is_there(best):
    hook, runner = best

    def fails(name):
        raise KeyboardInterrupt  # as if killed

    runner.fails = fails
    with pytest.raises(KeyboardInterrupt):
        runner.validated(hook, 2, a=2, b=0)
    # mmengine removes it first.
    assert Path(runner.work_dir, 'best_a_epoch_1.pth').exists()


def test_the_best_checkpoint_on_a_full_disk(best):
    hook, runner = best

    def fails(name):
        raise CannotWrite('No space left')

    runner.fails = fails
    with pytest.raises(CannotWrite):
        runner.validated(hook, 2, a=2, b=0)
    hook.on_error = 'continue'
    assert runner.validated(hook, 2, a=2, b=0) == ['best_a_epoch_1.pth', B_1]
    assert runner.message_hub.get_info('best_score_a') == 1  # of what there is
    runner.fails = lambda name: None
    assert runner.validated(hook, 2, a=2, b=0) == [A_2, B_1]


def test_a_best_checkpoint_that_a_kill_left_is_removed_later(best, monkeypatch):
    hook, runner = best
    monkeypatch.setattr(RemoveLater, 'remove_noted', lambda self: self.names.clear())
    kept = runner.validated(hook, 2, a=2, b=0)
    assert kept == ['best_a_epoch_1.pth', A_2, B_1]
    monkeypatch.undo()
    resumed = FakeRunner(runner.work_dir, runner.message_hub.runtime_info)
    hook = SafeCheckpointHook(save_best=['a', 'b'], rule='greater', by_epoch=True)
    hook.before_train(resumed)
    assert resumed.validated(hook, 3, a=0, b=0) == [A_2, B_1]


def test_a_copied_work_dir_leaves_the_first_ones_checkpoints_alone(best, tmp_path):
    hook, runner = best
    copy = shutil.copytree(runner.work_dir, tmp_path / 'copy')
    copied = FakeRunner(copy, runner.message_hub.runtime_info)
    hook = SafeCheckpointHook(save_best=['a', 'b'], rule='greater', by_epoch=True)
    hook.before_train(copied)
    assert copied.validated(hook, 2, a=2, b=0) == [A_2, B_1]
    assert Path(runner.work_dir, 'best_a_epoch_1.pth').exists()


def test_options_that_would_fail_at_the_first_save():
    for options in (dict(nope=1), dict(on_error='hope')):
        with pytest.raises(UserError, match='nope|hope'):
            SafeCheckpointHook(**options)
