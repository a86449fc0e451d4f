"""Signals: the run saves and leaves, its data-loader workers ignore them."""

import atexit
import contextlib
import functools
import multiprocessing
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine import dist
from mmengine.hooks import EMAHook, Hook
from mmpretrain.registry import HOOKS
from torch.utils.data import DataLoader

from .work_dir import INTERRUPTED, name_newest

TRY_AGAIN = 75  # EX_TEMPFAIL of sysexits.h: schedulers start the job again
BY_HAND = 128 + signal.SIGINT
INTERVAL = 10  # iterations after which distributed processes ask for signals
SIGNALS = {
    getattr(signal, name): code
    for name, code in dict(SIGINT=BY_HAND, SIGTERM=TRY_AGAIN, SIGUSR1=TRY_AGAIN).items()
    if hasattr(signal, name)  # Windows has no SIGUSR1
}


class Interrupted(SystemExit):
    """End of a run that got a signal and has saved; its code is the exit status.

    Args:
        number: Number of the signal.
        path: The checkpoint.
    """

    def __init__(self, number: int, path: Path) -> None:
        super().__init__(SIGNALS[number])
        self.number, self.path = number, path

    def __str__(self) -> str:
        name = signal.Signals(self.number).name
        return f'stopped by {name}, saved as {self.path}: continue with --resume'


@HOOKS.register_module()
class InterruptHook(Hook):
    """On SIGTERM, SIGUSR1 and Ctrl-C: finish the step, save, leave.

    Our runners register this hook. The exit status is 75 after SIGTERM and SIGUSR1
    ("try again" in ``sysexits.h``) and 130 after Ctrl-C. A second signal ends the
    process at once with status 128 + its number. In a distributed run it is enough that
    one process gets the signal: they tell each other every ``INTERVAL`` iterations.
    """

    priority = 'LOWEST'  # after all other hooks of the step

    def __init__(self) -> None:
        self.signal = 0
        self.handlers: dict = {}
        self.loaders: list[DataLoader] = []
        self.group = None
        self.training = self.validating = False
        self.common_val_batches = 0

    def listen(self) -> None:
        """Install the handlers of this process."""
        for number in SIGNALS:
            with contextlib.suppress(ValueError):  # not in the main thread
                self.handlers[number] = signal.signal(number, self._receive)

    def release(self) -> None:
        """Restore the handlers from before :meth:`listen`, and end the workers."""
        while self.handlers:
            signal.signal(*self.handlers.popitem())
        for loader in self.loaders:
            end_workers(loader)

    def _receive(self, number: int, frame) -> None:
        if self.signal:
            os._exit(128 + number)
        self.signal = number
        if dist.is_main_process():
            name = signal.Signals(number).name
            text = f'{name}: saving; a second signal ends the run without saving\n'
            os.write(sys.__stderr__.fileno(), text.encode())

    def before_train(self, runner) -> None:
        if dist.get_world_size() > 1 and torch.distributed.get_backend() != 'gloo':
            # NCCL would wait for the work that is queued on the GPU.
            self.group = torch.distributed.new_group(backend='gloo')
        loops = runner.train_loop, runner.val_loop
        self.loaders = [loop.dataloader for loop in loops if loop is not None]
        self.training = True
        self.listen()  # there is nothing to save before

    def after_train(self, runner) -> None:
        self.training = False

    def after_train_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        self._leave_if_asked(runner, runner.iter)

    def before_val(self, runner) -> None:
        if self.training:
            self.validating = True
            # Processes may differ by one batch, but must ask each other equally often.
            self.common_val_batches = self._reduce(len(runner.val_dataloader), 'min')

    def after_val(self, runner) -> None:
        self.validating = False

    def after_val_iter(self, runner, batch_idx, data_batch=None, outputs=None):
        if self.validating and batch_idx < self.common_val_batches:
            self._leave_if_asked(runner, batch_idx)

    def _leave_if_asked(self, runner, iteration: int) -> None:
        if number := self._find_signal(iteration):
            for hook in runner.hooks if self.validating else ():
                if isinstance(hook, EMAHook):  # the model has the averaged weights
                    hook.after_val_epoch(runner)
            path = Path(runner.work_dir) / INTERRUPTED
            runner.save_checkpoint(str(path.parent), path.name, by_epoch=False)
            name_newest(runner, path)
            raise Interrupted(number, path)

    def _find_signal(self, iteration: int) -> int:
        """Return the signal that one of the processes got, 0 for none."""
        if dist.get_world_size() > 1 and (iteration + 1) % INTERVAL:
            return 0
        return self._reduce(self.signal, 'max')

    def _reduce(self, number: int, how: str) -> int:
        tensor = torch.tensor(number)
        dist.all_reduce(tensor, how, self.group)
        return int(tensor)


def protect_workers(loader: DataLoader) -> None:
    """Let the workers of a data loader ignore signals, so that the run can save.

    Schedulers and launchers signal all processes of a job. By default SIGTERM kills the
    workers, and torch then ends the run with an error.

    Args:
        loader: Its workers are not started yet.
    """
    loader.worker_init_fn = functools.partial(_start_worker, loader.worker_init_fn)
    _kill_workers_at_exit()


def _start_worker(init: Callable | None, worker_id: int) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if init is not None:
        init(worker_id)


@functools.cache
def _kill_workers_at_exit() -> None:
    """Kill the workers that are left: multiprocessing would send SIGTERM and wait."""

    @atexit.register
    def kill() -> None:
        if hasattr(signal, 'SIGCHLD'):  # torch's handler would report a crash
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for child in multiprocessing.active_children():
            if child.daemon:
                child.kill()


def end_workers(loader: DataLoader | None) -> None:
    """End persistent workers now, by two private names of torch.

    The garbage collector may collect their queues first; torch then waits several
    seconds for each worker. See ``tests/reliability/test_private_names.py``.
    """
    iterator = getattr(loader, '_iterator', None)
    if hasattr(iterator, '_shutdown_workers'):
        iterator._shutdown_workers()
