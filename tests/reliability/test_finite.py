"""Non-finite losses and gradients: found, reported, and left out if asked for."""

import json
from types import SimpleNamespace

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.logging import MessageHub
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmpretrain.registry import HOOKS, MODELS

from bootmae_plugin import UserError
from bootmae_plugin.checkpoints.read import read_checkpoint
from bootmae_plugin.models.algorithm import BootMAE
from bootmae_plugin.models.heads import PositionNorm
from bootmae_plugin.reliability import finite
from bootmae_plugin.reliability.finite import (
    FiniteHook,
    check_finite,
    skips_on_device,
)
from tests.processes import run_in_two
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


def test_an_optimizer_state_that_is_not_finite_is_named():
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


class FakeRunner(SimpleNamespace):
    """A linear model with fused AdamW, watched by FiniteHook; no device but the CPU."""

    def __init__(self, work_dir, device='cpu', **finite):
        torch.manual_seed(0)
        self.model = torch.nn.Linear(2, 1).to(device)
        optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.1, fused=True)
        self.optim_wrapper = OptimWrapper(optimizer)
        self.work_dir, self.iter, self.epoch = str(work_dir), 0, 0
        self.message_hub = MessageHub(str(work_dir))
        self.hook = FiniteHook(**finite)
        self.hook.before_train(self)

    def step(self, factor=1.0):
        batch = dict(sample_idx=torch.tensor([self.iter]))
        self.hook.before_train_iter(self, 0, batch)
        inputs = torch.ones(1, 2, device=self.model.weight.device)
        self.optim_wrapper.update_params(factor * self.model(inputs).square().sum())
        self.iter += 1

    def state(self):
        state = self.optim_wrapper.optimizer.state_dict()['state']
        values = [*self.model.state_dict().values(), *self.flat(state)]
        return [value.clone() for value in values]

    def flat(self, state):
        return [value for group in state.values() for value in group.values()]


@pytest.fixture
def on_device(monkeypatch):
    """Skip steps as on a GPU: torch's fused AdamW takes ``found_inf`` on CPUs, too."""
    monkeypatch.setattr(finite, 'skips_on_device', lambda wrapper: True)


@pytest.mark.parametrize('factor', [float('inf'), float('nan'), 1e38])
def test_a_step_left_out_on_the_device_changes_nothing(factor, on_device, tmp_path):
    runner = FakeRunner(tmp_path, action='skip')
    runner.step(), runner.step()
    before = runner.state()
    runner.step(factor)  # the third; 1e38: a finite loss, gradients too large
    assert all(map(torch.equal, before, runner.state()))
    assert 'skipped_steps' not in runner.message_hub.runtime_info  # not known yet
    runner.step()
    assert runner.message_hub.get_info('skipped_steps') == 1
    assert not all(map(torch.equal, before, runner.state()))
    report = json.loads((tmp_path / 'non_finite/iter_3_rank_0.json').read_text())
    assert report['sample_idx'] == [[2]] and report['last_finite']['iteration'] == 2
    same = FakeRunner(tmp_path)
    for _ in range(3):
        same.step()
    assert all(map(torch.equal, same.state(), runner.state()))


@pytest.mark.parametrize('later', ['step', 'after_train_epoch', 'before_save'])
def test_the_host_learns_of_it_in_the_next_step_or_before_a_save(
    later, on_device, tmp_path
):
    runner = FakeRunner(tmp_path)
    runner.step()
    before = runner.state()
    runner.step(float('nan'))
    with pytest.raises(UserError, match='the loss is not finite in iteration 2'):
        runner.step() if later == 'step' else getattr(runner.hook, later)(runner)
    assert all(map(torch.equal, before, runner.state()))


READS = ('item', 'tolist', '__bool__', '__float__', '__int__', 'numpy', 'cpu')


def test_no_step_reads_numbers_of_the_device(on_device, tmp_path, monkeypatch):
    """What is copied to the host may be read, a step later; nothing else is."""
    copies, reads = [], []

    def copy(values):
        copies.append(values.clone())
        return copies[-1], None

    monkeypatch.setattr(finite, 'copy_to_host', copy)
    for name in READS:
        read = getattr(torch.Tensor, name)

        def counting(self, *args, name=name, read=read, **kwargs):
            reads.append((name, any(self is one for one in copies)))
            return read(self, *args, **kwargs)

        monkeypatch.setattr(torch.Tensor, name, counting)
    runner = FakeRunner(tmp_path)
    for _ in range(4):
        runner.step()
    assert reads == [('tolist', True)] * 3  # of the steps before


def test_other_optimizers_are_checked_before_the_step():
    weights = [torch.nn.Parameter(torch.zeros(1))]
    for fused in (False, True):
        wrapper = OptimWrapper(torch.optim.AdamW(weights, fused=fused))
        assert not skips_on_device(wrapper)  # on a CPU
    if torch.cuda.is_available():
        weights = [torch.nn.Parameter(torch.zeros(1, device='cuda'))]
        for fused in (False, True):
            wrapper = OptimWrapper(torch.optim.AdamW(weights, fused=fused))
            assert skips_on_device(wrapper) == fused


@pytest.mark.skipif(not torch.cuda.is_available(), reason='needs a GPU')
def test_no_step_waits_for_the_gpu(tmp_path):
    runner = FakeRunner(tmp_path, 'cuda')
    runner.step(), runner.step()
    torch.cuda.set_sync_debug_mode('error')
    try:
        runner.step(), runner.step()
    finally:
        torch.cuda.set_sync_debug_mode('default')


def _one_of_two(path):
    torch.distributed.init_process_group('gloo')
    rank = torch.distributed.get_rank()
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
    run_in_two(_one_of_two, str(tmp_path))
    for rank in (0, 1):
        report = (tmp_path / f'non_finite/iter_1_rank_{rank}.json').read_text()
        assert json.loads(report)['finite_on_this_rank'] == (rank == 0)
        assert json.loads(report)['sample_idx'] == [[rank]]
