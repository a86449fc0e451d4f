"""What a checkpoint holds beside mmengine's content, so that a run resumes exactly."""

import random

import numpy as np
import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmpretrain.registry import HOOKS

from ..checkpoints.strip import is_stripped
from ..engine.unwrap import holds_parts, unwrap_model
from ..errors import check
from .rescale import rescale_schedule

KEYS = ('random_states', 'position', 'accumulated_gradients')


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Save and restore random states, the place in the data, accumulated gradients.

    Our runners register this hook last. A resumed run then ends with the weights of an
    uninterrupted one: on CPUs bit-identical. With another number of processes it
    continues, too, but not exactly, and the log says so. A validation does not change
    the random numbers of the training.
    """

    priority = 'LOWEST'  # after everything that draws numbers while a run is set up

    def __init__(self) -> None:
        self.to_save: dict = {}
        self.loaded: dict = {}
        self.rates: list[float] | None = None  # the config's, while a run resumes
        self.before_validation: dict | None = None

    def before_save(self, runner) -> None:
        """Collect from all processes what the first one saves."""
        state = self.before_validation or random_state()
        loop = runner.train_loop
        self.to_save = dict(
            random_states=dist.all_gather_object(state),
            position=loop.position() if hasattr(loop, 'position') else None,
            accumulated_gradients=None,
        )
        if within_accumulation(runner) and not holds_parts(runner.model):
            named = unwrap_model(runner.model).named_parameters()
            own = {name: p.grad.cpu() for name, p in named if p.grad is not None}
            self.to_save['accumulated_gradients'] = dist.all_gather_object(own)

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint.update(self.to_save)
        if self.before_validation is not None:
            # mmengine assumes to be within an epoch; here the epoch is complete.
            checkpoint['meta'].update(epoch=runner.epoch, iter=runner.iter)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        meta = checkpoint.get('meta', {})
        meta.pop('config', None)  # mmengine would run it: a config is code
        if self.rates is None:  # only the weights are loaded
            return
        check(
            not is_stripped(checkpoint),
            'no run can be resumed from a checkpoint that keeps only weights: give an '
            'epoch_*.pth or the newest stage_*.pth',
        )
        self.loaded = {key: checkpoint.get(key) for key in KEYS}
        if self.loaded['position'] and hasattr(runner.train_loop, 'restore'):
            runner.train_loop.restore(self.loaded['position'], meta)

    def before_train(self, runner) -> None:
        rates, self.rates = self.rates, None
        loaded, self.loaded = self.loaded, {}
        if rates is None or runner.iter == 0:
            return
        self._restore(runner, loaded)
        rescale_schedule(runner, rates, loaded['position'])
        if hasattr(runner.train_loop, 'validate_if_due'):
            runner.train_loop.validate_if_due()

    def _restore(self, runner, loaded: dict) -> None:
        states, gradients = loaded['random_states'], loaded['accumulated_gradients']
        number, rank = dist.get_world_size(), dist.get_rank()
        if states is None:
            warn('resumed from a checkpoint without random states')
        elif len(states) != number:
            warn(f'resumed on {number} processes a run of {len(states)}')
        else:
            set_random_state(states[rank])
            if gradients is not None:
                named = dict(unwrap_model(runner.model).named_parameters())
                for name, value in gradients[rank].items():
                    named[name].grad = value.to(named[name].device, copy=True)
            elif within_accumulation(runner):
                warn('resumed without the gradients that were accumulated')

    def before_val(self, runner) -> None:
        self.before_validation = random_state()

    def after_val(self, runner) -> None:
        set_random_state(self.before_validation)
        self.before_validation = None


def warn(what: str) -> None:
    """Log that a run continues, but not exactly."""
    text = f'{what}: it continues, but not bit-identical to an uninterrupted run'
    print_log(text, 'current', level=30)


def within_accumulation(runner) -> bool:
    """Return whether accumulated gradients wait for the next optimizer step."""
    wrapper = runner.optim_wrapper
    # Before the first iteration should_update is True.
    return hasattr(wrapper, 'should_update') and not wrapper.should_update()


def random_state() -> dict:
    """Return the state of python's, numpy's and torch's generators as plain types."""
    kind, keys, *rest = np.random.get_state()
    state = dict(
        python=random.getstate(),
        numpy=(kind, keys.tolist(), *rest),
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Restore what :func:`random_state` returned."""
    random.setstate(state['python'])
    np.random.set_state(state['numpy'])
    torch.set_rng_state(state['torch'].cpu())
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'].cpu())
