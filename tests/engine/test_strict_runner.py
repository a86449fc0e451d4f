"""The runner's own rules."""

import time

import pytest
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from tests.tiny import tiny_config


def rate(work_dir, batch: int, **options) -> float:
    """Return the learning rate that a run of this batch gets for a rate of 1."""
    cfg = tiny_config(work_dir)
    cfg.train_dataloader.batch_size = batch
    cfg.optim_wrapper.optimizer.lr = 1.0
    runner = RUNNERS.build(cfg)
    wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.scale_lr(wrapper, options and dict(base_batch_size=64, **options))
    (scaled,) = {group['lr'] for group in wrapper.optimizer.param_groups}
    return scaled


@pytest.mark.parametrize(
    ('options', 'expected'),
    [
        (dict(enable=True), 16 / 64),
        (dict(enable=True, rule='linear'), 16 / 64),
        (dict(enable=True, rule='sqrt'), (16 / 64) ** 0.5),
        (dict(enable=False, rule='sqrt'), 1),
        (dict(), 1),
    ],
)
def test_the_learning_rate_follows_the_batch_by_the_rule(tmp_path, options, expected):
    assert rate(tmp_path, 16, **options) == pytest.approx(expected)


def test_an_unknown_rule_is_refused(tmp_path):
    with pytest.raises(UserError, match="rule='root': choose one of"):
        rate(tmp_path, 16, enable=True, rule='root')


def test_runs_of_the_same_second_share_nothing(tmp_path, monkeypatch, capsys):
    """mmengine's second run would be in the default scope and the log of the first."""
    now = time.time()
    monkeypatch.setattr(time, 'time', lambda: now)
    runs, printed = [], []
    for name in ('a', 'b'):
        cfg = tiny_config(tmp_path / name)
        assert cfg.default_scope == 'mmpretrain'
        runs.append(RUNNERS.build(cfg))
        runs[-1].logger.warning(f'from {name}')
        printed.append(capsys.readouterr().out)
    first, second = runs
    assert 'from a' in printed[0] and 'from b' in printed[1]
    for part in ('default_scope', 'logger', 'message_hub', 'visualizer', 'log_dir'):
        assert getattr(first, part) is not getattr(second, part), part
    (log,) = (tmp_path / 'b').glob('*/*.log')
    assert 'from b' in log.read_text() and 'from a' not in log.read_text()
