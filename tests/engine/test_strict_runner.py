"""The runner's own rules."""

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
