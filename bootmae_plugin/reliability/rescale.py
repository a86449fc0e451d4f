"""A run that is resumed with other batches, or with another learning rate."""

from collections.abc import Iterator

from mmengine.logging import print_log
from mmengine.optim import OptimWrapper, OptimWrapperDict

# What a scheduler that steps in every iteration counts in iterations.
COUNTS = ('begin', 'end', 'last_step', '_global_step', 'T_max', 'total_iters')


def optim_wrappers(wrapper) -> list[OptimWrapper]:
    """Those of an OptimWrapperDict, or the only one; none where nothing is trained."""
    if isinstance(wrapper, OptimWrapperDict):
        return list(wrapper.optim_wrappers.values())
    return [wrapper] if isinstance(wrapper, OptimWrapper) else []


def param_groups(runner) -> list[dict]:
    """Of all optimisers."""
    wrappers = optim_wrappers(runner.optim_wrapper)
    return [group for wrapper in wrappers for group in wrapper.param_groups]


def base_rates(runner) -> list[float]:
    """The learning rate of each group from which its schedule starts."""
    return [group.get('initial_lr', group['lr']) for group in param_groups(runner)]


def _schedulers(runner) -> Iterator:
    found = runner.param_schedulers or []
    for some in found.values() if isinstance(found, dict) else [found]:
        yield from some


def refit_rates(runner, rates: list[float]) -> None:
    """Let these base rates hold in place of a checkpoint's; schedules keep their shape.

    mmengine takes those of the checkpoint, so a lower rate in the config, or one that
    follows another number of processes (``auto_scale_lr``), would do nothing.

    Args:
        runner: Just resumed.
        rates: The :func:`base_rates` of its config.
    """
    saved = base_rates(runner)
    if saved == rates:  # nothing is touched, not even by rounding
        return
    factor = {}
    for group, old, new in zip(param_groups(runner), saved, rates, strict=True):
        factor[id(group)] = new / old if old else 1.0
        if 'initial_lr' in group:
            group['initial_lr'] = new
        group['lr'] *= factor[id(group)]
    for scheduler in _schedulers(runner):
        # ReduceOnPlateauLR has none: it goes by the rate that there is.
        if scheduler.param_name == 'lr' and hasattr(scheduler, 'base_values'):
            groups = scheduler.optimizer.param_groups
            scheduler.base_values = [
                value * factor[id(group)]
                for value, group in zip(scheduler.base_values, groups, strict=True)
            ]
    print_log(
        f'the base learning rate is {rates[0]:.3g}, as config and batch say, no '
        f'longer {saved[0]:.3g} as in the checkpoint',
        'current',
        level=30,
    )


def refit_counts(runner, old: int, new: int) -> None:
    """Let schedules that step in every iteration last as many epochs as before.

    Args:
        runner: Just resumed.
        old: Batches of an epoch before.
        new: Now.
    """
    for scheduler in _schedulers(runner):
        if scheduler.by_epoch:
            continue
        for name in COUNTS:
            count = getattr(scheduler, name, 0)
            if count > 0:
                setattr(scheduler, name, round(count * new / old))
