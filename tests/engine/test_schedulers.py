"""WarmupCosineLR against values by hand, and the scaling with the batch size."""

import math

import pytest
import torch
from mmengine.optim import OptimWrapper
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.engine import WarmupCosineLR
from tests.tiny import tiny_config


def rates(steps, **kwargs):
    parameter = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(torch.optim.SGD([parameter], lr=2.0))
    scheduler = WarmupCosineLR(wrapper, end=steps, by_epoch=False, **kwargs)
    values = []
    for _ in range(steps):
        values.append(wrapper.param_groups[0]['lr'])
        wrapper.step()
        scheduler.step()
    return values


def test_values_by_hand():
    ours = rates(10, warmup=0.2, min_ratio=0.1)
    warmup = [2 * 1 / 3, 2 * 2 / 3]
    cosine = [2 * (0.1 + 0.9 * 0.5 * (1 + math.cos(math.pi * n / 8))) for n in range(8)]
    assert ours == pytest.approx(warmup + cosine)


def test_the_shape_follows_the_length():
    short, long = rates(20, warmup=0.1), rates(200, warmup=0.1)
    assert max(short) == max(long) == 2.0
    assert short.index(2.0) / 20 == long.index(2.0) / 200 == 0.1


def test_a_warmup_out_of_range_is_refused():
    with pytest.raises(UserError, match='warmup=40 must be a fraction'):
        rates(10, warmup=40)


def test_the_learning_rate_follows_batch_and_epochs(tmp_path):
    """The config's lr is for a batch of 512, and the cosine ends with max_epochs."""
    cfg = tiny_config(tmp_path, epochs=3, stages=1)
    runner = RUNNERS.build(cfg)
    runner.train()
    group = runner.optim_wrapper.param_groups[0]
    base = cfg.optim_wrapper.optimizer.lr
    assert group['initial_lr'] == pytest.approx(base * 16 / 512)
    (scheduler,) = runner.param_schedulers
    assert scheduler.end == 3 * 4  # 64 images, batches of 16
