"""torchrun without its own traceback: the processes have told what went wrong."""

import logging
import signal
import sys

try:
    from torch.distributed.elastic.multiprocessing.api import SignalException
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import get_args_parser, main
except ImportError as error:
    sys.exit(
        f'error: {sys.executable} cannot import torch ({error}): activate the '
        'environment (source .venv/bin/activate) or set PYTHON to its interpreter'
    )

GRACE = '--shutdown-timeout'  # not in all versions of torch


def pass_on(number: int, frame) -> None:
    """As torchrun does with SIGTERM and SIGINT by itself."""
    raise SignalException(f'signal {number}', signal.Signals(number))


if __name__ == '__main__':
    logging.disable(logging.WARNING)  # here only: the processes have their own
    signal.signal(signal.SIGUSR1, pass_on)
    if GRACE in get_args_parser().format_help():
        sys.argv.insert(1, f'{GRACE}=120')  # seconds in which they save
    try:
        main()
    except SignalException as stopped:
        # As each process alone: see engine/interruption.py.
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
