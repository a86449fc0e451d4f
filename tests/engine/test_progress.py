"""The terminal of a long training stays short, and its lines are means."""

import io
import re
from types import SimpleNamespace

import pytest
import torch
from rich.console import Console

from bootmae_plugin.engine import progress
from bootmae_plugin.engine.progress import MAX_LINES, ProgressHook


class Clock:
    """A clock that stands still until it is told."""

    now = 0.0

    def perf_counter(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(progress.time, 'perf_counter', clock.perf_counter)
    return clock


def train(epochs: int, clock: Clock, validate: tuple[int, ...] = ()) -> list[str]:
    """Train epochs of one step of 4 images and 1 s; the loss is the epoch's number."""
    hook, output = ProgressHook(), io.StringIO()
    hook.console = Console(file=output, highlight=False, soft_wrap=True)
    hub = SimpleNamespace(runtime_info={})
    runner = SimpleNamespace(
        train_loop=None, work_dir='x', iter=0, message_hub=hub, max_iters=epochs
    )
    runner.max_epochs = epochs
    hook.before_train(runner)
    for runner.epoch in range(epochs):
        hook.before_train_epoch(runner)
        clock.now += 1
        outputs = dict(loss=torch.tensor(runner.epoch + 1.0))
        if runner.epoch + 1 == epochs:  # a loss of the last stage alone
            outputs['loss_view'] = torch.tensor(7.0)
        hook.after_train_iter(runner, 0, dict(inputs=[0] * 4), outputs)
        runner.iter += 1
        hook.after_train_epoch(runner)
        if runner.epoch in validate:
            hook.before_val_epoch(runner)
            clock.now += 100
            hook.after_val_epoch(runner, {'accuracy/top1': 50.0})
    return output.getvalue().splitlines()[1:]


def test_each_of_few_epochs_has_a_line(clock):
    lines = train(3, clock)
    assert [re.match(r'epoch (\d)/3  loss (\S+)', line)[2] for line in lines[:2]] == [
        '1.0000',
        '2.0000',
    ]
    assert len(lines) == 3 and lines[0].endswith('4 images/s  0:00:02 left')


def test_many_epochs_share_lines(clock):
    epochs = 2 * MAX_LINES + 101  # three to a line
    lines = train(epochs, clock)
    assert len(lines) == -(-epochs // 3) <= MAX_LINES
    assert lines[0].startswith('epoch 3/601  loss 2.0000')  # the mean of 1, 2 and 3
    assert lines[-1].startswith('epoch 601/601  ') and 'loss_view 7.0000' in lines[-1]
    assert all(' 4 images/s' in line for line in lines)


def test_the_time_of_a_validation_is_not_that_of_the_training(clock):
    lines = train(601, clock, validate=(3,))
    assert lines[1] == '  validation: accuracy/top1 50.00'
    assert lines[2].startswith('epoch 6/601') and ' 4 images/s' in lines[2]
