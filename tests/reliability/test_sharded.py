"""FSDP on two gloo processes trains as DistributedDataParallel does."""

import json
import os

import pytest
import torch

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.read import read_checkpoint
from bootmae_plugin.reliability import BlockFSDPStrategy
from tests.processes import run_in_two, train_in_two
from tests.tiny import run_tool, tiny_config


def write_config(path, sharded, epochs, **options):
    cfg = tiny_config(path.parent / path.stem, epochs=epochs, **options)
    cfg.pop('runner_type'), cfg.pop('launcher')
    cfg.randomness = dict(seed=0, diff_rank_seed=True)
    cfg.default_hooks.logger.interval = 1
    if sharded:
        cfg.runner_type = 'mmpretrain.ShardedRunner'
        cfg.strategy = dict(type='BlockFSDPStrategy', recompute=True)
    cfg.dump(path)
    return path


def dist_train(config, *args):
    train_in_two(config, '--work-dir', config.with_suffix(''), *args)


def result(config, name='epoch_2.pth'):
    return read_checkpoint(config.with_suffix('') / name)


def losses(config):
    (log,) = config.with_suffix('').glob('*/vis_data/scalars.json')
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    return torch.tensor([line['loss'] for line in lines])


EMA = dict(
    model__target_generator=dict(_delete_=True, type='EMAEncoder', decay=0.5),
    default_hooks__bootstrap=dict(_delete_=True, type='BootstrapHook', boundaries=[1]),
)


@pytest.mark.parametrize('options', [{}, EMA], ids=['stages', 'ema'])
def test_sharded_training_equals_ddp_through_a_stage_switch(tmp_path, options):
    configs = []
    for name, sharded in (('ddp', False), ('fsdp', True)):
        config = write_config(tmp_path / f'{name}.py', sharded, 2, **options)
        configs.append(config)
        dist_train(config)
    ddp, fsdp = map(result, configs)
    assert list(ddp['state_dict']) == list(fsdp['state_dict'])  # whole, same names
    assert int(fsdp['state_dict']['stage_number']) == 2
    for key, value in ddp['state_dict'].items():
        # AdamW makes a whole step, here 1e-3, of the sign of a gradient near 0.
        difference = (value.float() - fsdp['state_dict'][key].float()).abs()
        assert difference.mean() < 2e-5, key
    assert torch.allclose(*map(losses, configs), rtol=1e-4)


def test_a_sharded_run_resumes(tmp_path):
    config = write_config(tmp_path / 'run.py', True, 2)
    dist_train(config)
    dist_train(config, '--resume', '--cfg-options', 'train_cfg.max_epochs=3')
    before, after = result(config)['optimizer'], result(config, 'epoch_3.pth')
    steps = [
        next(iter(optimizer['state'].values()))['step']
        for optimizer in (before, after['optimizer'])
    ]
    assert steps[0] == 4 and steps[1] == 6  # goes on, not anew


def _start_in_vain(config):
    with pytest.raises(SystemExit) as refused:
        run_tool('train.py', config, '--launcher', 'pytorch')
    if os.environ['RANK'] == '0':  # the other process says nothing
        assert 'cannot with sharded weights' in str(refused.value)


def test_what_does_not_work_in_shards_says_so(tmp_path):
    config = write_config(tmp_path / 'run.py', True, 2)
    with pytest.raises(SystemExit, match='needs a launcher'):
        run_tool('train.py', config)
    hooks = [dict(type='ReconstructionHook')]
    config = write_config(tmp_path / 'hook.py', True, 2, custom_hooks=hooks)
    run_in_two(_start_in_vain, config)


@pytest.mark.parametrize(
    ('options', 'reason'),
    [
        (dict(clip_grad=dict(max_norm=1)), 'clip_grad='),
        (dict(optimizer=dict(type='timm.optim.Muon')), 'Muon needs whole matrices'),
    ],
)
def test_optimizers_that_need_whole_tensors_are_refused(options, reason):
    strategy = object.__new__(BlockFSDPStrategy)
    with pytest.raises(UserError, match=reason):
        strategy.build_optim_wrapper(options)


def test_another_rule_of_the_learning_rate_is_refused():
    with pytest.raises(UserError, match='auto_scale_lr.rule=sqrt does not work'):
        BlockFSDPStrategy(auto_scale_lr=dict(base_batch_size=512, rule='sqrt'))
