"""Random numbers that go on where a checkpoint left them, on every process."""

import random

import numpy as np
import torch
from mmengine import dist
from mmengine.hooks import Hook
from mmengine.logging import print_log
from mmpretrain.registry import HOOKS


def random_state() -> dict:
    """State of python's, numpy's and torch's generators here, as plain types."""
    kind, keys, position, has_gauss, gauss = np.random.get_state()
    state = dict(
        python=random.getstate(),
        numpy=(kind, keys.tolist(), position, has_gauss, gauss),
        torch=torch.get_rng_state(),
    )
    if torch.cuda.is_available():
        state['cuda'] = torch.cuda.get_rng_state()
    return state


def set_random_state(state: dict) -> None:
    """Go on from a :func:`random_state`."""
    version, keys, gauss = state['python']
    random.setstate((version, tuple(keys), gauss))
    kind, keys, *rest = state['numpy']
    np.random.set_state((kind, np.array(keys, dtype=np.uint32), *rest))
    torch.set_rng_state(state['torch'])
    if 'cuda' in state and torch.cuda.is_available():
        torch.cuda.set_rng_state(state['cuda'])


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Restores the random state of a resumed checkpoint when its training starts.

    Our runners register it. A run that was resumed between two epochs ends with the
    weights of one that never stopped, bit by bit on CPUs; not with workers that draw
    random numbers, nor on another number of processes, which the log says.
    """

    priority = 'LOWEST'  # whatever draws numbers while a run is set up has done so

    def __init__(self) -> None:
        self.states: list[dict] | None = None

    def before_save_checkpoint(self, runner, checkpoint: dict) -> None:
        checkpoint['random_states'] = self.states

    def gather(self) -> None:
        """Called on every process before a checkpoint is saved on the first one."""
        self.states = dist.all_gather_object(random_state())

    def after_load_checkpoint(self, runner, checkpoint: dict) -> None:
        self.states = checkpoint.get('random_states')

    def before_train(self, runner) -> None:
        states, self.states = self.states, None
        if runner.iter == 0 or states is None:
            return
        if len(states) == dist.get_world_size():
            set_random_state(states[dist.get_rank()])
            return
        print_log(
            f'resumed on {dist.get_world_size()} processes a run of {len(states)}: it '
            'goes on, but not exactly as it would have',
            'current',
            level=30,
        )
