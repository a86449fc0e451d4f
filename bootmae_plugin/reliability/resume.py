"""What a checkpoint needs beside mmengine's own content to go on exactly."""

from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmpretrain.registry import HOOKS
from torch import Tensor

from ..engine.unwrap import holds_parts, unwrap_model
from .random_state import random_state, set_random_state
from .rescale import refit_rates

KEYS = ('random_states', 'position', 'accumulated_gradients')


@HOOKS.register_module()
class ExactResumeHook(Hook):
    """Saves and restores random states, place in the data, accumulated gradients.

    Our runners register it. A resumed run then ends with the weights of one that never
    stopped, bit by bit on CPUs; not on another number of processes, which the log says.
    A validation does not move the random numbers of the training.
    """

    priority = 'LOWEST'  # whatever draws numbers while a run is set up has done so

    def __init__(self) -> None:
        self.saved: dict = {}
        self.loaded: dict = {}
        self.before_validation: dict | None = None

    def gather(self, runner) -> None:
        """Called on every process before a checkpoint is saved on the first one."""
        states = self.before_validation or random_state()
        self.saved = dict(
            random_states=dist.all_gather_object(states),
            position=runner.train_loop.position()
            if hasattr(runner.train_loop, 'position')
            else None,
            accumulated_gradients=None,
        )
        if within_accumulation(runner) and not holds_parts(runner.model):
            gradients = dist.all_gather_object(gradients_of(runner.model))
            self.saved['accumulated_gradients'] = gradients

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint.update(self.saved)
        if self.before_validation is not None:
            # mmengine takes it for within an epoch; here both are what is done.
            checkpoint['meta'].update(epoch=runner.epoch, iter=runner.iter)

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        self.loaded = {key: checkpoint.get(key) for key in KEYS}
        # mmengine would run it as a config, which is code.
        checkpoint.get('meta', {}).pop('config', None)

    def go_on(self, runner, rates: list[float]) -> None:
        """Called when a checkpoint has been resumed from.

        Args:
            runner: Its place and its schedules are set.
            rates: The :func:`base_rates` before it was resumed, which hold.
        """
        refit_rates(runner, rates)
        position = self.loaded.get('position')
        if position and hasattr(runner.train_loop, 'go_on'):
            runner.train_loop.go_on(position)

    def before_train(self, runner) -> None:
        loaded, self.loaded = self.loaded, {}
        if runner.iter == 0 or not any(loaded.values()):
            return
        states, gradients = loaded['random_states'], loaded['accumulated_gradients']
        if states is None:
            self._warn('resumed from a checkpoint without random states')
            return
        if len(states) != dist.get_world_size():
            self._warn(
                f'resumed on {dist.get_world_size()} processes a run of {len(states)}'
            )
            return
        set_random_state(states[dist.get_rank()])
        if gradients is not None:
            named = dict(unwrap_model(runner.model).named_parameters())
            for name, value in gradients[dist.get_rank()].items():
                named[name].grad = value.to(named[name].device, copy=True)
        elif within_accumulation(runner):
            self._warn('resumed without the gradients that were accumulated')

    def before_val(self, runner) -> None:
        self.before_validation = random_state()

    def after_val(self, runner) -> None:
        set_random_state(self.before_validation)
        self.before_validation = None

    def _warn(self, what: str) -> None:
        text = f'{what}: it goes on, but not exactly as it would have'
        print_log(text, 'current', level=30)


def within_accumulation(runner) -> bool:
    """Whether gradients wait for the optimiser's next step."""
    wrapper = runner.optim_wrapper
    # False before the first step of all, where should_update is True.
    return hasattr(wrapper, 'should_update') and not wrapper.should_update()


def gradients_of(model) -> dict[str, Tensor]:
    """By the name of the parameter, on the CPU."""
    named = unwrap_model(model).named_parameters()
    return {name: p.grad.cpu() for name, p in named if p.grad is not None}
