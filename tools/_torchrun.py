"""torchrun without its own traceback: the processes have told what went wrong."""

import logging
import sys

try:
    from torch.distributed.elastic.multiprocessing.errors import ChildFailedError
    from torch.distributed.run import main
except ImportError as error:
    sys.exit(
        f'error: {sys.executable} cannot import torch ({error}): activate the '
        'environment (source .venv/bin/activate) or set PYTHON to its interpreter'
    )

if __name__ == '__main__':
    logging.disable(logging.WARNING)  # here only: the processes have their own
    try:
        main()
    except ChildFailedError as error:
        _, failure = error.get_first_failure()
        if failure.exitcode < 0:
            sys.exit(
                f'error: process {failure.local_rank} was killed by signal '
                f'{-failure.exitcode}: 9 often means too little memory; a smaller '
                'batch or fewer processes need less'
            )
        sys.exit(failure.exitcode)
