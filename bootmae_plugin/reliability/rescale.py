"""Schedules of a run that is resumed with another config."""

import copy
import warnings

from mmengine.hooks import ParamSchedulerHook
from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict
from mmengine.optim.scheduler import ReduceOnPlateauParamScheduler

from ..engine.bootstrap import BootstrapHook


def optim_wrappers(wrapper) -> list[OptimWrapper]:
    """Return the wrappers of an OptimWrapperDict, or the only one; none in a test."""
    if isinstance(wrapper, OptimWrapperDict):
        return list(wrapper.optim_wrappers.values())
    return [wrapper] if isinstance(wrapper, OptimWrapper) else []


def param_groups(runner) -> list[dict]:
    """Return the parameter groups of all optimizers."""
    wrappers = optim_wrappers(runner.optim_wrapper)
    return [group for wrapper in wrappers for group in wrapper.param_groups]


def base_rates(runner) -> list[float]:
    """Return the learning rate of each group from which its schedule starts."""
    return [group.get('initial_lr', group['lr']) for group in param_groups(runner)]


def rescale_schedule(runner, rates: list[float], position: dict | None) -> None:
    """Let the schedule of the config hold in a resumed run, if it differs.

    mmengine restores the schedulers of the checkpoint, so another base rate, number of
    processes (``auto_scale_lr``), batch size or length of the run would do nothing, or
    end the schedule at the wrong place. If one of them has changed, the schedulers are
    built from the config and stepped up to this place: the learning rate is the one
    that the config would have had here. Otherwise nothing is touched.

    A scheduler that follows a metric (ReduceOnPlateau) cannot be stepped again; then
    only the base rate is applied.

    Args:
        runner: A runner that has just resumed.
        rates: The :func:`base_rates` of its config, taken before it resumed.
        position: The ``position`` of the training loop in the checkpoint, if it has
            one.
    """
    saved, loop = base_rates(runner), runner.train_loop
    changes = []
    if saved != rates:
        changes.append(f'base learning rate {rates[0]:.3g} (was {saved[0]:.3g})')
    if position is not None:
        now = loop.position()
        if position['batches'] != now['batches']:
            was = position['batches']
            changes.append(f'{now["batches"]} batches an epoch (was {was})')
        if position.get('length', now['length']) != now['length']:
            changes.append(f'{now["length"]} {loop.unit} (was {position["length"]})')
    if not changes:
        return
    groups = param_groups(runner)
    before = groups[0]['lr']
    schedulers = runner.param_schedulers or []
    if isinstance(schedulers, dict):  # of an OptimWrapperDict
        schedulers = [scheduler for some in schedulers.values() for scheduler in some]
    if any(isinstance(one, ReduceOnPlateauParamScheduler) for one in schedulers):
        for group, old, new in zip(groups, saved, rates, strict=True):
            group['lr'] *= new / old if old else 1.0
    else:
        replay_schedule(runner, rates)
    print_log(
        f'the config has changed: {", ".join(changes)}. The run continues with the '
        f'schedule of the config, at learning rate {groups[0]["lr"]:.3g} (was '
        f'{before:.3g}); it is not bit-identical to an uninterrupted run',
        'current',
        level=30,
    )


def replay_schedule(runner, rates: list[float]) -> None:
    """Build the schedulers from the config and step them up to the runner's place.

    Args:
        runner: A runner before an iteration.
        rates: The learning rate of each group from which its schedule starts.
    """
    for group, rate in zip(param_groups(runner), rates, strict=True):
        for key in [key for key in group if key.startswith('initial_')]:
            group[key.removeprefix('initial_')] = group[key]  # momentum, ...
        group['lr'] = rate
        if 'initial_lr' in group:
            group['initial_lr'] = rate
    if runner.cfg.get('param_scheduler') is None:
        return
    restarting = [
        hook
        for hook in runner.hooks
        if isinstance(hook, BootstrapHook) and hook.restart_schedule
    ]
    if restarting:
        first = restarting[0].rebuild_schedule(runner)
    else:
        first = 0
        config = copy.deepcopy(runner.cfg.param_scheduler)
        runner.param_schedulers = runner.build_param_scheduler(config)
    step, length = ParamSchedulerHook(), len(runner.train_dataloader)
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')  # a step of a schedule without the optimizer's
        for iteration in range(first * length, runner.iter):
            step.after_train_iter(runner, iteration)
            epoch, batch = divmod(iteration + 1, length)
            if batch == 0 and epoch <= runner.epoch:
                step.after_train_epoch(runner)
