"""Two gloo processes, forked from the tests: they import nothing again."""

import os
import socket
from collections.abc import Callable

# What a run imports late is imported here, once and not in each forked process.
import matplotlib.figure  # noqa: F401
import sklearn.datasets  # noqa: F401
import sklearn.metrics  # noqa: F401
import torch
import torch.multiprocessing as mp
import torch.utils.tensorboard  # noqa: F401

from tests.tiny import run_tool


def _start(rank: int, port: int, function: Callable, args: tuple) -> None:
    os.environ.update(
        RANK=str(rank),
        LOCAL_RANK=str(rank),
        WORLD_SIZE='2',
        LOCAL_WORLD_SIZE='2',
        MASTER_ADDR='127.0.0.1',
        MASTER_PORT=str(port),
    )
    torch.set_num_threads(1)
    function(*args)


def run_in_two(function: Callable, *args) -> None:
    """Call ``function(*args)`` in two processes with the variables of torchrun.

    Raises:
        ProcessRaisedException, ProcessExitedException: if one of them fails.
    """
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        port = free.getsockname()[1]
    mp.start_processes(_start, (port, function, args), nprocs=2, start_method='fork')


def train_in_two(config, *words) -> None:
    """Run ``tools/train.py`` in two processes."""
    run_in_two(run_tool, 'train.py', config, '--launcher', 'pytorch', *words)
