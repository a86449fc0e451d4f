"""Start one process per GPU with torchrun, and report their failure in one line.

    python tools/_launch.py [torchrun's options] tools/train.py CONFIG [ARGS]

The config, its overrides and its data folders are checked here, before a process is
started: each process would find the same mistake.
"""

import argparse
import importlib
import logging
import os
import signal
import sys
from pathlib import Path

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import (
    ChildFailedError,
    ProcessFailure,
)
from torch.distributed.run import get_args_parser
from torch.distributed.run import main as torchrun

from ..configuration.configs import check_data, load_runner_config
from .common import run
from .outcome import LAUNCHER

# Data loaders that the tools use.
USED = dict(train=('train_dataloader', 'val_dataloader'), test=('test_dataloader',))
GRACE = '--shutdown-timeout'  # not in all versions of torch


def check_inputs(args: argparse.Namespace) -> None:
    """Check what the processes will be given.

    Args:
        args: Options of the tool, and its name as ``tool``.
    """
    check_data(load_runner_config(args), USED[args.tool])


def pass_on(number: int, frame) -> None:
    """Raise what torchrun raises on SIGTERM and SIGINT: it passes the signal on."""
    raise SignalException(f'signal {number}', signal.Signals(number))


def first_failure(error: ChildFailedError) -> ProcessFailure:
    """Return the failure that caused the others.

    When a process is killed, the others lose their connection to it and fail, too. When
    a process reports an error, torchrun stops the others with SIGTERM.
    """
    failures = list(error.failures.values())
    killed = [f for f in failures if f.exitcode < 0 and f.exitcode != -signal.SIGTERM]
    reported = [f for f in failures if isinstance(f.message, dict)]
    return min(killed or reported or failures, key=lambda failure: failure.timestamp)


def exit_with(failure: ProcessFailure) -> None:
    """Exit with the status of a process, and with its line if it left one."""
    if isinstance(failure.message, dict) and failure.exitcode in (1, -signal.SIGTERM):
        sys.exit(f'error: {failure.message["message"].partition(": ")[2]}')
    if failure.exitcode < 0:
        sys.exit(
            f'error: process {failure.local_rank} was killed by signal '
            f'{-failure.exitcode}, and the others were stopped: 9 often means too '
            'little memory, which a smaller batch or fewer processes help; '
            '--resume continues from the last checkpoint'
        )
    sys.exit(failure.exitcode)


def main(argv: list[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else argv
    options = get_args_parser().parse_args(words)
    tool = Path(options.training_script).stem
    command = importlib.import_module(f'.{tool}', __package__)
    args = command.parse_args(options.training_script_args)
    args.tool = tool
    run(check_inputs, args)

    logging.disable()  # here only: the processes have their own
    signal.signal(signal.SIGUSR1, pass_on)
    os.environ[LAUNCHER] = '1'
    if GRACE in get_args_parser().format_help():
        words = [f'{GRACE}=120', *words]  # seconds in which they save
    try:
        torchrun(words)
    except SignalException as stopped:
        # The same status as of each process: see reliability/signals.py.
        sys.exit(130 if stopped.sigval == signal.SIGINT else 75)
    except ChildFailedError as error:
        exit_with(first_failure(error))
    except Exception as error:  # such as an address that is taken or not reached
        if args.debug:
            raise
        what = ' '.join(f'{type(error).__name__}: {error}'.split())[:150]
        sys.exit(f'error: the processes cannot be started: {what}')
