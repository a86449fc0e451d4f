"""Merged parameter groups train as one group for every tensor does."""

import copy

import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmpretrain.registry import MODELS

from tests.tiny import ROOT, TINY


def trained(constructor):
    cfg = Config.fromfile(ROOT / 'configs/selfsup/bootmae_deit-tiny_digits.py')
    cfg.merge_from_dict(TINY)
    torch.manual_seed(0)
    model = MODELS.build(cfg.model).train()
    settings = dict(cfg.optim_wrapper, type='OptimWrapper', constructor=constructor)
    wrapper = build_optim_wrapper(model, copy.deepcopy(settings))
    images = torch.randn(4, 3, 32, 32)
    for _ in range(3):
        torch.manual_seed(1)
        wrapper.update_params(sum(model.loss(images).values()))
    return model, wrapper


def test_two_merged_groups_give_the_same_weights():
    one, each = trained('DefaultOptimWrapperConstructor')
    two, merged = trained('MergedGroupsConstructor')
    assert len(each.optimizer.param_groups) > 30
    assert len(merged.optimizer.param_groups) == 2  # with weight decay and without
    assert {g['weight_decay'] for g in merged.optimizer.param_groups} == {0.0, 0.05}
    counts = [
        sum(len(group['params']) for group in wrapper.optimizer.param_groups)
        for wrapper in (each, merged)
    ]
    assert counts[0] == counts[1]
    for a, b in zip(one.parameters(), two.parameters(), strict=True):
        assert torch.allclose(a, b, atol=1e-7)
