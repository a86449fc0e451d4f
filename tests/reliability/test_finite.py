"""Losses and gradients that are not finite: caught, told, left out if asked for."""

import json
from types import SimpleNamespace

import pytest
import torch
import torch.multiprocessing as mp
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpretrain.registry import HOOKS, MODELS

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.read import read_checkpoint
from bootmae_plugin.models.algorithm import BootMAE
from bootmae_plugin.models.heads import PositionNorm
from bootmae_plugin.reliability.finite import FiniteHook, check_finite
from tests.reliability.resuming import losses, train
from tests.tiny import tiny_config


@MODELS.register_module()
class BadNumbers(BootMAE):
    """From call ``first`` to ``last`` a loss, or a gradient alone, is not finite."""

    def __init__(self, first, last, where, **kwargs):
        super().__init__(**kwargs)
        self.bad, self.where, self.calls = range(first, last + 1), where, 0

    def loss(self, *args, **kwargs):
        values = super().loss(*args, **kwargs)
        self.calls += 1
        if self.calls not in self.bad:
            return values
        if self.where == 'loss':  # its gradients stay finite
            values['loss_pixel'] = values['loss_pixel'] + float('inf')
        else:
            weight = self.backbone.cls_token
            zero = (weight - weight.detach()).abs().sum()  # sqrt has no slope at 0
            values['loss_pixel'] = values['loss_pixel'] + zero.sqrt()
        return values


def bad_config(work_dir, first, last=None, where='loss', **finite):
    cfg = tiny_config(work_dir, stages=1)
    bad = dict(type='BadNumbers', first=first, last=last or first, where=where)
    cfg.model.update(bad)
    cfg.default_hooks.finite.update(finite)
    return cfg


@pytest.mark.parametrize('where', ['loss', 'gradient'])
@pytest.mark.parametrize('accumulative_counts', [1, 2])
def test_the_run_stops_before_the_step(where, accumulative_counts, tmp_path):
    cfg = bad_config(tmp_path, 6, where=where)  # 4 iterations an epoch
    cfg.optim_wrapper.accumulative_counts = accumulative_counts
    seen = []

    @HOOKS.register_module(force=True)
    class Watch(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            seen.append(float(outputs['loss']))

    cfg.default_hooks.watch = dict(type='Watch')
    with pytest.raises(UserError, match='not finite in iteration 6.*lower learning'):
        train(tmp_path, cfg=cfg)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']
    report = json.loads((tmp_path / 'non_finite/iter_6_rank_0.json').read_text())
    assert report['iteration'] == 6 and report['epoch'] == 2
    assert len(report['sample_idx']) == accumulative_counts
    assert all(len(indices) == 16 for indices in report['sample_idx'])
    if where == 'loss':
        assert report['losses'][-1] == 'inf'
        assert report['gradients_not_finite'] == []
    else:
        assert report['gradients_not_finite'] == ['backbone.cls_token']
    last = report['last_finite']
    assert last['iteration'] == 6 - accumulative_counts
    values = [accumulative_counts * value for value in last['losses']]
    before = seen[: last['iteration']][-accumulative_counts:]
    assert values == pytest.approx(before, rel=1e-6)
    assert last['gradient_norm'] > 0 and last['learning_rate'] > 0


def test_skipped_steps_are_counted_and_change_nothing(tmp_path):
    cfg = bad_config(tmp_path / 'run', 3, action='skip')
    before = {}

    @HOOKS.register_module(force=True)
    class Watch(Hook):
        def before_train_iter(self, runner, batch_idx, data_batch=None):
            if runner.iter in (2, 3):
                weights = runner.model.state_dict().items()
                before[runner.iter] = {k: v.clone() for k, v in weights}

    cfg.default_hooks.watch = dict(type='Watch')
    train(tmp_path / 'run', cfg=cfg)
    assert all(torch.equal(before[2][key], before[3][key]) for key in before[2])
    assert set(losses(tmp_path / 'run', 'skipped_steps')) == {1}
    log = '\n'.join(p.read_text() for p in (tmp_path / 'run').glob('*/*.log'))
    assert 'step left out, 1 so far: the loss is not finite in iteration 3' in log
    weights = read_checkpoint(tmp_path / 'run/epoch_4.pth')['state_dict']
    assert all(value.isfinite().all() for value in weights.values())


def test_too_many_in_a_row_stop(tmp_path):
    cfg = bad_config(tmp_path, 5, 9, action='skip', max_skips=3)
    with pytest.raises(UserError, match='iteration 8.*3 in a row'):
        train(tmp_path, cfg=cfg)


def test_steps_left_out_in_a_row_go_on_counting_when_resumed(tmp_path):
    def config():
        return bad_config(tmp_path, 1, 99, action='skip', max_skips=3)

    train(tmp_path, stop=dict(iteration=2), cfg=config())
    with pytest.raises(UserError, match='iteration 4.*3 in a row'):
        train(tmp_path, resume=True, cfg=config())


def test_weights_that_are_not_finite_are_not_saved(tmp_path):
    @HOOKS.register_module(force=True)
    class Spoil(Hook):
        def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
            if runner.iter == 7:  # the last one of epoch 2
                runner.model.backbone.cls_token.data[..., 0] = float('nan')

    cfg = tiny_config(tmp_path)
    cfg.default_hooks.spoil = dict(type='Spoil')
    with pytest.raises(UserError, match=r'not finite \(first: backbone.cls_token\)'):
        train(tmp_path, cfg=cfg)
    assert [path.name for path in tmp_path.glob('*.pth')] == ['epoch_1.pth']


def test_an_optimiser_state_that_is_not_finite_is_named():
    model = torch.nn.Linear(2, 2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=0)
    model.weight.grad = torch.full_like(model.weight, 1e30)  # its square is too large
    optimizer.step()
    wrappers = OptimWrapperDict(one=OptimWrapper(optimizer))
    with pytest.raises(UserError, match="the optimizer's exp_avg_sq of parameter 0"):
        check_finite(model, wrappers)
    optimizer.state.clear()
    model.weight.data.fill_(1e30)  # finite, but not their norm
    check_finite(model, wrappers)


def test_statistics_of_targets_leave_such_batches_out():
    norm, clean = PositionNorm(4, 3).train(), PositionNorm(4, 3).train()
    batch = torch.randn(8, 4, 3)
    norm(batch), clean(batch)
    norm(torch.full((8, 4, 3), float('nan')))
    assert torch.equal(norm.mean, clean.mean) and torch.equal(norm.var, clean.var)


def test_unknown_action():
    with pytest.raises(UserError, match="unknown action='go on'"):
        FiniteHook('go on')


def _one_of_two(rank, path):
    torch.distributed.init_process_group(
        'gloo', init_method=f'file://{path}/sync', rank=rank, world_size=2
    )
    model = torch.nn.Linear(2, 1)
    wrapper = OptimWrapper(torch.optim.SGD(model.parameters(), lr=1.0))
    runner = SimpleNamespace(
        optim_wrapper=wrapper,
        model=model,
        work_dir=path,
        iter=0,
        epoch=0,
        message_hub=MessageHub('one of two'),
    )
    hook = FiniteHook()
    hook.before_train(runner)
    hook.before_train_iter(runner, 0, dict(sample_idx=torch.tensor([rank])))
    before = model.weight.clone()
    loss = model(torch.ones(1, 2)).sum() + (float('inf') if rank else 0)
    with pytest.raises(UserError, match='the loss' if rank else 'of another process'):
        wrapper.update_params(loss)
    assert torch.equal(model.weight, before)
    torch.distributed.destroy_process_group()


def test_what_one_process_finds_stops_both(tmp_path):
    mp.spawn(_one_of_two, (str(tmp_path),), nprocs=2)
    for rank in (0, 1):
        report = (tmp_path / f'non_finite/iter_1_rank_{rank}.json').read_text()
        assert json.loads(report)['finite_on_this_rank'] == (rank == 0)
        assert json.loads(report)['sample_idx'] == [[rank]]
