"""BudgetHook with a simulated clock: the run ends in time, also a resumed one."""

from itertools import pairwise

import pytest
import torch
from mmengine.hooks import Hook
from mmpretrain.registry import HOOKS, RUNNERS

from bootmae_plugin import UserError
from bootmae_plugin.flops import stage_costs
from bootmae_plugin.models import BootMAE
from bootmae_plugin.reliability import budget
from tests.reliability.resuming import StopHook, Stopped  # noqa: F401
from tests.tiny import tiny_config

BATCHES = 4  # of an epoch


@pytest.fixture
def clock(monkeypatch):
    clock = Clock()
    monkeypatch.setattr(budget, 'clock', lambda: clock.now)
    monkeypatch.setattr(Clock, 'current', clock)
    return clock


@pytest.fixture
def quick_steps(monkeypatch):
    """Steps that compute nothing, where only the clock and the schedule matter."""

    def train_step(self, data, optim_wrapper):
        optim_wrapper.step()  # without gradients
        return dict(loss=torch.zeros(()))

    monkeypatch.setattr(BootMAE, 'train_step', train_step)


class Clock:
    """Simulated seconds, which pass in the steps and at the ends of the epochs."""

    current = None

    def __init__(self):
        self.now = 1000.0
        self.first_step, self.end_of_epoch = 20.0, 1.0
        self.by_stage = {1: 2.0, 2: 3.2, 3: 3.2, 4: 3.2}
        self.load, self.load_from = 1.0, 0.0  # what a step takes longer, from when on


@HOOKS.register_module()
class PassTimeHook(Hook):
    """Let the simulated time pass, and note the learning rate and the stages."""

    def before_run(self, runner):
        self.rates, self.starts = [], []

    def before_train_epoch(self, runner):
        stage = runner.model.stage
        if len(self.starts) < stage:
            self.starts.append(runner.epoch)

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        clock = Clock.current
        loaded = clock.load if clock.now >= clock.load_from else 1.0
        clock.now += loaded * clock.by_stage[runner.model.stage]
        clock.now += clock.first_step * (runner.iter == 0)
        self.rates.append(runner.optim_wrapper.get_lr()['lr'][0])

    def after_train_epoch(self, runner):
        Clock.current.now += Clock.current.end_of_epoch


def config(work_dir, hours, epochs=200, stages=4):
    cfg = tiny_config(work_dir, epochs, stages)
    cfg.train_dataloader.dataset.source.indices = 2 * BATCHES
    cfg.train_dataloader.batch_size = 2
    cfg.custom_hooks = [dict(type='PassTimeHook', priority='LOWEST')]
    cfg.default_hooks.checkpoint.interval = 1000
    if hours is not None:
        cfg.default_hooks.budget = dict(type='mmpretrain.BudgetHook', hours=hours)
    return cfg


def hook_of(runner, kind):
    (hook,) = [hook for hook in runner.hooks if isinstance(hook, kind)]
    return hook


# The FLOPs say that a step of the later stages takes 1.9 times as long as of stage 1.
@pytest.mark.parametrize(
    ('seconds', 'stages', 'later'), [(300, 1, 2.0), (400, 4, 2.4), (900, 4, 5.0)]
)
def test_the_run_its_stages_and_its_schedule_end_in_time(
    seconds, stages, later, clock, quick_steps, tmp_path, capfd
):
    clock.by_stage |= {2: later, 3: later, 4: later}
    start = clock.now
    runner = RUNNERS.build(config(tmp_path, seconds / 3600, stages=stages))
    runner.train()
    assert 0.9 <= (clock.now - start) / seconds <= 1.05
    passed = hook_of(runner, PassTimeHook)
    assert len(passed.rates) == runner.epoch * BATCHES == runner.max_iters
    assert runner.model.stage == stages
    # One schedule spans the run: warm-up of a tenth, then down to almost nothing.
    base = runner.optim_wrapper.param_groups[0]['initial_lr']
    assert passed.rates[-1] < 0.01 * base
    top = passed.rates.index(max(passed.rates))
    assert max(passed.rates) > 0.9 * base and top < 0.25 * len(passed.rates)
    lengths = [b - a for a, b in pairwise([*passed.starts, runner.epoch])]
    assert max(lengths) <= 2.5 * min(lengths), passed.starts
    printed = capfd.readouterr().out
    assert printed.count(f'estimate for {seconds / 3600:g} h: ') == 1
    assert printed.count('corrected for') <= 9
    if stages > 1:
        assert 'in stage 1' in printed


@pytest.mark.parametrize('stages', [1, 2, 4])
@pytest.mark.parametrize('load', [0.6, 1.6])
def test_a_change_of_the_machines_load_is_corrected(
    stages, load, clock, quick_steps, tmp_path
):
    """The load changes after two fifths of the time, once the run was corrected."""
    seconds, start = 1500, clock.now
    clock.load, clock.load_from = load, start + 0.4 * seconds
    runner = RUNNERS.build(config(tmp_path, seconds / 3600, stages=stages))
    runner.train()
    assert 0.93 <= (clock.now - start) / seconds <= 1.06
    assert runner.model.stage == stages
    rates = hook_of(runner, PassTimeHook).rates
    assert len(rates) == runner.max_iters and rates[-1] < 0.01 * max(rates)


def test_a_small_deviation_is_not_corrected(clock, quick_steps, tmp_path, capfd):
    clock.end_of_epoch = clock.first_step = 0.0
    costs = stage_costs(tiny_config(tmp_path).model, 2)
    later = 2.03 * costs[1] / costs[0]  # 1.5 % more than the FLOPs say
    clock.by_stage |= dict.fromkeys((2, 3, 4), later)
    RUNNERS.build(config(tmp_path, 2000 / 3600)).train()
    assert 'corrected for' not in capfd.readouterr().out


def test_the_schedule_is_that_of_a_run_of_this_length(clock, quick_steps, tmp_path):
    """Without a correction: the first epochs' steps cost what the FLOPs say."""
    clock.end_of_epoch = clock.first_step = 0.0
    runner = RUNNERS.build(config(tmp_path / 'a', 200 / 3600, stages=1))
    runner.train()
    assert runner.max_epochs == 25  # of 8 s each
    plain = RUNNERS.build(config(tmp_path / 'b', None, epochs=25, stages=1))
    plain.train()
    first = budget.SKIPPED + budget.MEASURED  # until then, the schedule is the config's
    rates = [hook_of(r, PassTimeHook).rates for r in (runner, plain)]
    assert rates[0][first:] == pytest.approx(rates[1][first:])
    assert rates[0][:first] != pytest.approx(rates[1][:first])


@pytest.mark.parametrize('stop', [2, 7, 20])
def test_a_resumed_run_keeps_its_budget(stop, clock, quick_steps, tmp_path):
    """Stopped before the estimate, before the correction and after it."""
    start, cfg = clock.now, config(tmp_path, 400 / 3600)
    cfg.default_hooks.checkpoint.interval = 1
    cfg.custom_hooks.append(dict(type='StopHook', epoch=stop, priority='LOWEST'))
    runner = RUNNERS.build(cfg)
    with pytest.raises(Stopped):
        runner.train()
    epochs, corrected = (
        getattr(hook_of(runner, budget.BudgetHook), k) for k in ('epochs', 'corrected')
    )
    spent = clock.now - start
    clock.now += 10_000  # in which the machine was off
    again, cfg = clock.now, config(tmp_path, 400 / 3600)
    cfg.resume = True
    resumed = RUNNERS.build(cfg)
    resumed.train()
    assert 0.9 <= (spent + clock.now - again) / 400 <= 1.05
    if corrected:
        assert resumed.max_epochs == epochs
    assert resumed.model.stage == 4


def test_too_short_a_time_is_one_line(clock, tmp_path):
    clock.by_stage[1] = 30.0
    with pytest.raises(UserError) as error:
        RUNNERS.build(config(tmp_path, 0.1)).train()
    text = str(error.value)
    assert text.startswith('0.1 hours are too short: 7 epochs, the fewest with 4')
    assert '\n' not in text and len(text) < 200


@pytest.mark.parametrize('hours', [0, -1, 'many'])
def test_a_time_that_is_none_is_refused(hours):
    with pytest.raises(UserError, match=f'hours={hours!r}'):
        budget.BudgetHook(hours)


def test_without_hours_the_estimate_is_printed_and_nothing_changes(
    clock, tmp_path, capfd
):
    clock.end_of_epoch = 0.0
    costs = stage_costs(tiny_config(tmp_path).model, 2)
    clock.by_stage |= {1: 10.0, 2: 10.0 * costs[1] / costs[0]}
    start = clock.now
    runner = RUNNERS.build(config(tmp_path, None, epochs=10, stages=2))
    runner.train()
    assert runner.epoch == 10
    line = next(x for x in capfd.readouterr().out.splitlines() if 'estimate' in x)
    actual = (clock.now - start) / 60
    assert line.startswith(f'estimate: 10 epochs, about {actual:.0f} min in all (40 s')


def test_the_estimate_does_not_change_the_weights(clock, tmp_path):
    def weights(folder, told):
        clock.by_stage = dict.fromkeys(range(1, 5), told)
        runner = RUNNERS.build(config(tmp_path / folder, None, epochs=4))
        runner.train()
        return runner.model.state_dict()

    long, short = weights('long', 100.0), weights('short', 0.001)
    assert all(torch.equal(long[key], short[key]) for key in long)


def test_the_costs_of_the_stages_are_counted_without_drawing_numbers(tmp_path):
    model = tiny_config(tmp_path).model
    state = torch.get_rng_state()
    costs = stage_costs(model, 3)
    assert torch.equal(torch.get_rng_state(), state)
    assert costs[0] < costs[1] == costs[2]


def test_a_stage_with_another_mask_ratio_has_its_own_cost(tmp_path):
    model = tiny_config(tmp_path).model
    before = stage_costs(model, 4)
    model.masking.mask_ratio = [0.75, 0.75, 0.5]
    costs = stage_costs(model, 4)
    assert costs[:2] == before[:2]
    assert costs[1] < costs[2] == costs[3]


@pytest.mark.parametrize(
    ('seconds', 'text'),
    [(5.04, '5 s'), (61, '61 s'), (600, '10 min'), (7300, '2.0 h')],
)
def test_durations(seconds, text):
    assert budget.duration(seconds) == text


def test_the_costs_are_counted_by_one_process_alone(tmp_path, monkeypatch):
    """A collective call of the first process alone would never end."""

    def communicate(*args, **kwargs):
        raise AssertionError('a process waits for the others')

    monkeypatch.setattr('mmengine.dist.all_reduce', communicate)
    cfg = tiny_config(tmp_path)
    assert len(stage_costs(cfg.model, 2)) == 2
    cfg.model.backbone.img_size = 30  # such a model cannot be built
    assert budget.count_or_assume(cfg.model, 3) == [1.0, 1.0, 1.0]
