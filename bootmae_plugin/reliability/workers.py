"""Workers of a data loader leave signals to the run."""

import atexit
import functools
import multiprocessing
import signal
from collections.abc import Callable

from torch.utils.data import DataLoader

from .signals import SIGNALS


def leave_signals_to_the_run(loader: DataLoader) -> None:
    """Let workers load on until a run that was told to stop has its checkpoint.

    Schedulers and launchers signal all processes of a job. Torch has workers die of
    SIGTERM, which ends the run at once with an error.

    Args:
        loader: Its workers are not started yet.
    """
    loader.worker_init_fn = functools.partial(_start, loader.worker_init_fn)
    _kill_what_is_left_at_exit()


def end_workers(loader: DataLoader) -> None:
    """End persistent workers now.

    A garbage collector ends their queues first, so they are not told, and torch waits
    for each of them.
    """
    iterator = getattr(loader, '_iterator', None)
    if hasattr(iterator, '_shutdown_workers'):
        iterator._shutdown_workers()


def _start(init: Callable | None, worker_id: int) -> None:
    for number in SIGNALS:
        signal.signal(number, signal.SIG_IGN)
    if init is not None:
        init(worker_id)


@functools.cache
def _kill_what_is_left_at_exit() -> None:
    """Where multiprocessing itself would send SIGTERM, and wait."""

    @atexit.register
    def kill() -> None:
        if hasattr(signal, 'SIGCHLD'):  # torch's handler takes it for a crash
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        for child in multiprocessing.active_children():
            if child.daemon:
                child.kill()
