"""Start one process per GPU with torchrun, without torchrun's own traceback."""

import logging
import signal
import sys

from torch.distributed.elastic.multiprocessing.api import SignalException
from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
from torch.distributed.run import get_args_parser
from torch.distributed.run import main as torchrun

GRACE = '--shutdown-timeout'  # not in all versions of torch


def pass_on(number: int, frame) -> None:
    """Raise what torchrun raises on SIGTERM and SIGINT: it passes the signal on."""
    raise SignalException(f'signal {number}', signal.Signals(number))


def main(argv: list[str] | None = None) -> None:
    words = sys.argv[1:] if argv is None else argv
    logging.disable(logging.WARNING)  # here only: the processes have their own
    signal.signal(signal.SIGUSR1, pass_on)
    if GRACE in get_args_parser().format_help():
        words = [f'{GRACE}=120', *words]  # seconds in which they save
    try:
        torchrun(words)
    except SignalException as stopped:
        # The same status as of each process: see reliability/signals.py.
        sys.exit(130 if stopped.sigval == signal.SIGINT else 75)
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode < 0:
            sys.exit(
                f'error: process {failure.local_rank} was killed by signal '
                f'{-failure.exitcode}, and the others were stopped: 9 often means too '
                'little memory, which a smaller batch or fewer processes help; '
                '--resume goes on from the last checkpoint'
            )
        sys.exit(failure.exitcode)
