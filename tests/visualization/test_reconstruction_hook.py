"""ReconstructionHook: pictures in the pixel stages, and an undisturbed run."""

import copy

import pytest
import torch
from mmpretrain.registry import RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.visualization import ReconstructionHook, load_model
from tests.tiny import tiny_config


def test_the_hook_draws_and_does_not_change_the_run(tmp_path):
    weights = []
    for name, hooks in (
        ('without', []),
        ('with', [dict(type='ReconstructionHook', interval=1, number=4)]),
    ):
        cfg = tiny_config(tmp_path / name, epochs=4, stages=2, custom_hooks=hooks)
        runner = RUNNERS.build(copy.deepcopy(cfg))
        runner.train()
        weights.append(runner.model.state_dict())
    assert all(torch.equal(weights[0][k], weights[1][k]) for k in weights[0])
    pictures = sorted(p.name for p in (tmp_path / 'with').rglob('reconstruction*.png'))
    assert pictures == ['reconstruction_1.png', 'reconstruction_2.png']  # stage 1

    config = tmp_path / 'with/bootmae_deit-tiny_digits.py'
    assert load_model(config, tmp_path / 'with/stage_1.pth').stage == 1


@pytest.mark.parametrize('options', [dict(interval=0), dict(number=0)])
def test_options_must_be_positive(options):
    with pytest.raises(UserError, match='must be positive'):
        ReconstructionHook(**options)
