"""A run that is asked to stop saves once, on all processes alike."""

import contextlib
import os
import signal
import sys
from pathlib import Path

import torch
from mmengine import dist
from mmengine.hooks import EMAHook, Hook
from mmpretrain.registry import HOOKS

from .checkpoint_hook import INTERRUPTED, name_newest

# What schedulers send when a job has to leave: it is to be started again.
TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h
BY_HAND = 128 + signal.SIGINT
SIGNALS = {
    getattr(signal, name): code
    for name, code in dict(SIGINT=BY_HAND, SIGTERM=TRY_AGAIN, SIGUSR1=TRY_AGAIN).items()
    if hasattr(signal, name)  # Windows has no SIGUSR1
}


class Interrupted(SystemExit):
    """Ends a run that was asked to stop and has saved; its code is the exit status.

    Args:
        number: Of the signal.
        path: Of the checkpoint.
    """

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(SIGNALS[number])
        self.number, self.path = number, path

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        return f'stopped by {name}, saved as {self.path}: --resume goes on exactly'


@HOOKS.register_module()
class InterruptHook(Hook):
    """SIGTERM, SIGUSR1 and Ctrl-C: finish the step, save, leave.

    Our runners register it. The exit status is 75 ("try again", ``sysexits.h``) after
    SIGTERM and SIGUSR1, which schedulers send, and 130 after Ctrl-C. A second signal
    ends the process at once, with 128 + its number. It is enough that one process gets
    the signal.

    Args:
        interval: Iterations after which the processes of a distributed run ask each
            other whether one was signalled. Defaults to 10.
    """

    priority = 'LOWEST'  # the step's other hooks have done their work

    def __init__(self, interval: int = 10) -> None:
        self.interval = interval
        self.signal = 0
        self.handlers: dict = {}
        self.group = None
        self.common_val_batches = 0

    def listen(self) -> None:
        """Take the signals of this process."""
        for number in SIGNALS:
            with contextlib.suppress(ValueError):  # not in the main thread
                self.handlers[number] = signal.signal(number, self._receive)

    def release(self) -> None:
        """Give them back."""
        while self.handlers:
            signal.signal(*self.handlers.popitem())

    def _receive(self, number: int, frame) -> None:
        if self.signal:
            os._exit(128 + number)
        self.signal = number
        if dist.is_main_process():
            name = signal.Signals(number).name
            text = f'{name}: saving; another one stops at once, without\n'
            os.write(sys.__stderr__.fileno(), text.encode())

    def before_train(self, runner) -> None:
        if dist.get_world_size() > 1 and torch.distributed.get_backend() != 'gloo':
            # A GPU's own would have to wait for its work.
            self.group = torch.distributed.new_group(backend='gloo')
        self.listen()  # before, there is nothing to save

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._leave_if_asked(runner, runner.iter)

    def before_val(self, runner) -> None:
        if runner._train_loop is not None:
            # Ranks may differ by one batch; they have to ask each other equally often.
            self.common_val_batches = self._reduce(len(runner.val_dataloader), 'MIN')

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if batch_idx < self.common_val_batches:
            self._leave_if_asked(runner, batch_idx)

    def _leave_if_asked(self, runner, iteration: int) -> None:
        if number := self._asked(iteration):
            validating = getattr(runner.train_loop, 'validating', False)
            for hook in runner.hooks if validating else ():
                if isinstance(hook, EMAHook):  # the model has the averaged weights
                    hook.after_val_epoch(runner)
            path = Path(runner.work_dir) / INTERRUPTED
            runner.save_checkpoint(str(path.parent), path.name, by_epoch=False)
            name_newest(runner, path)
            raise Interrupted(number, path)

    def _asked(self, iteration: int) -> int:
        """The signal that one of the processes got; 0 for none."""
        if dist.get_world_size() > 1 and (iteration + 1) % self.interval:
            return 0
        return self._reduce(self.signal, 'MAX')

    def _reduce(self, number: int, how: str) -> int:
        if dist.get_world_size() == 1:
            return number
        tensor = torch.tensor(number)
        operation = getattr(torch.distributed.ReduceOp, how)
        torch.distributed.all_reduce(tensor, operation, group=self.group)
        return int(tensor)
