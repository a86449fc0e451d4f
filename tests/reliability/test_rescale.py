"""Runs resumed with other batches, another length or rate: place and schedule."""

import re
from types import SimpleNamespace

import pytest
import torch
from mmengine.optim import OptimWrapper, ReduceOnPlateauLR

from bootmae_plugin.engine.schedulers import warmup_cosine
from bootmae_plugin.reliability.rescale import rescale_schedule
from tests.reliability.resuming import losses, train
from tests.tiny import tiny_config


def config(work_dir, batch_size=16, **options):
    """4 epochs of 64 images; the learning rate follows the batch."""
    return tiny_config(work_dir, train_dataloader__batch_size=batch_size, **options)


@pytest.mark.parametrize('restart', [False, True])
@pytest.mark.parametrize(
    ('stop', 'done'),
    [
        (2, 32),  # after epoch 2, of 16 batches each
        (dict(iteration=6), 24),  # and in its middle
    ],
)
def test_another_batch_size_goes_on_at_the_same_place(stop, done, restart, tmp_path):
    options = dict(default_hooks__bootstrap__restart_schedule=restart)
    expected = train(tmp_path / 'small', cfg=config(tmp_path / 'small', 4, **options))
    work_dir = tmp_path / 'run'
    train(work_dir, stop=stop, cfg=config(work_dir, 16, **options))
    train(work_dir, resume=True, cfg=config(work_dir, 4, **options))
    rates, steps = losses(work_dir, 'lr'), losses(work_dir, 'iter')
    wanted = losses(expected, 'lr')
    assert len(wanted) == 64
    before = done // 4
    assert steps == [*range(1, before + 1), *range(done + 1, 65)]
    assert rates[before:] == pytest.approx(wanted[done:])
    # The batch was 4 times as large, and so was the rate.
    assert max(rates[:before]) == pytest.approx(4 * max(wanted[:done]), rel=0.1)
    log = '\n'.join(path.read_text() for path in work_dir.glob('*/*.log'))
    assert '16 batches an epoch (was 4)' in log


def test_a_lower_rate_in_the_config_holds(tmp_path):
    expected = train(tmp_path / 'whole')
    work_dir = train(tmp_path / 'run', stop=2)
    assert tiny_config(work_dir).optim_wrapper.optimizer.lr == 8e-3  # at 512
    train(work_dir, resume=True, optim_wrapper__optimizer__lr=8e-4)
    rates, wanted = losses(work_dir, 'lr'), losses(expected, 'lr')
    assert rates[:8] == wanted[:8]
    assert rates[8:] == pytest.approx([value / 10 for value in wanted[8:]])
    log = '\n'.join(path.read_text() for path in work_dir.glob('*/*.log'))
    assert 'base learning rate 2.5e-05 (was 0.00025)' in log


def test_mmengines_own_schedulers(tmp_path):
    """Schedulers that calculate a rate from the one before."""

    def two(work_dir, batch_size):
        cfg = config(work_dir, batch_size)
        cfg.auto_scale_lr.enable = False
        common = dict(by_epoch=True, convert_to_iter_based=True)
        cfg.param_scheduler = [
            dict(type='LinearLR', start_factor=0.1, begin=0, end=1, **common),
            dict(type='CosineAnnealingLR', begin=1, end=4, **common),
        ]
        return cfg

    expected = train(tmp_path / 'small', cfg=two(tmp_path / 'small', 4))
    work_dir = tmp_path / 'run'
    train(work_dir, stop=2, cfg=two(work_dir, 16))
    train(work_dir, resume=True, cfg=two(work_dir, 4))
    rates, wanted = losses(work_dir, 'lr')[8:], losses(expected, 'lr')[32:]
    assert rates == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize('restart', [False, True])
def test_another_length_follows_the_schedule_of_the_config(restart, tmp_path):
    """4 batches an epoch; stage 2 starts at epoch 3 in all runs."""
    options = dict(default_hooks__bootstrap__restart_schedule=restart)
    longer = dict(
        epochs=6,
        default_hooks__bootstrap__num_stages=None,
        default_hooks__bootstrap__boundaries=[2],
    )
    wanted = losses(train(tmp_path / 'whole', **options, **longer), 'lr')
    work_dir = train(tmp_path / 'run', stop=3, **options)  # of 4 epochs
    train(work_dir, resume=True, epochs=6, **options)
    rates = losses(work_dir, 'lr')
    assert len(rates) == len(wanted) == 24
    assert rates[12:] == pytest.approx(wanted[12:])
    log = '\n'.join(path.read_text() for path in work_dir.glob('*/*.log'))
    (line,) = [line for line in log.splitlines() if 'the config has changed' in line]
    assert '6 epochs (was 4). The run continues with the schedule of the' in line
    (at, was) = re.search(r'learning rate (\S+) \(was (\S+)\)', line).groups()
    assert float(at) == pytest.approx(wanted[12], rel=0.01)
    assert float(was) < float(at)


def test_a_complete_run_is_extended_at_a_useful_rate(tmp_path):
    work_dir = train(tmp_path / 'run', epochs=2)
    train(work_dir, resume=True, epochs=4)
    rates = losses(work_dir, 'lr')
    # The cosine ended at epoch 2; over 4 epochs of 4 steps it is half way down.
    warmup = tiny_config(work_dir).param_scheduler.warmup
    base = 8e-3 * 16 / 512
    wanted = [base * warmup_cosine(step, 16, warmup) for step in range(8, 16)]
    assert rates[8:] == pytest.approx(wanted)


def test_a_plateau_schedule_goes_by_the_rate_that_there_is():
    weights = [torch.nn.Parameter(torch.zeros(1))]
    wrapper = OptimWrapper(torch.optim.SGD(weights, lr=0.4))
    schedule = ReduceOnPlateauLR(wrapper, monitor='loss')
    runner = SimpleNamespace(
        optim_wrapper=wrapper, param_schedulers=[schedule], train_loop=None
    )
    rescale_schedule(runner, [0.1], None)
    assert wrapper.get_lr()['lr'] == [pytest.approx(0.1)]
