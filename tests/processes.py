"""Processes forked from the tests, which import nothing again; one, or two by gloo."""

import os
import socket
import sys
import traceback
from collections.abc import Callable
from pathlib import Path

# What a run imports late is imported here, once and not in each forked process.
import matplotlib.figure  # noqa: F401
import sklearn.datasets  # noqa: F401
import sklearn.metrics  # noqa: F401
import torch
import torch.multiprocessing as mp
import torch.utils.tensorboard  # noqa: F401

from tests.tiny import run_tool


def run_in_fork(log: Path, function: Callable, *args) -> int:
    """Call ``function(*args)`` in a fork; return the exit status of a program with it.

    Args:
        log: File for what it prints.
        function: The work.
        *args: Its arguments.
    """
    pid = os.fork()
    if pid == 0:
        status = 1
        try:
            out = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(out, 1)
            os.dup2(out, 2)
            sys.stdout, sys.stderr = sys.__stdout__, sys.__stderr__
            function(*args)
            status = 0
        except SystemExit as stop:
            status = stop.code or 0
            if isinstance(status, str):
                status = print(stop.code) or 1
        except BaseException:
            traceback.print_exc()
        finally:
            sys.stdout.flush()
            os._exit(status)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])


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
