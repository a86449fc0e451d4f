"""What the subcommands share: options, and user errors in one line."""

import argparse
import errno
import importlib
import logging
import os
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine import dist
from mmengine.config import DictAction
from torch.distributed.elastic.multiprocessing.errors import ErrorHandler

from ..checkpoints import register_safe_loaders
from ..errors import UserError
from ..reliability import Interrupted

# Environment variable that our launcher sets for the processes that it starts.
LAUNCHER = 'BOOTMAE_LAUNCHER'
# Files of tools/ whose module has another name.
MODULES = dict(convert_checkpoint='convert')
# torch's DistributedDataParallel warns about what mmengine and it do by themselves, and
# DeiTClsHead about a teacher, which finetuning with labels does not need.
NOISE = ('.*broadcast_buffers', 'Grad strides do not match', 'MMPretrain cannot train')


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--debug``."""
    parser.add_argument(
        '--debug', action='store_true', help='show the traceback of an error'
    )


def add_config_options(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--cfg-options``."""
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config: key=value, nested.key=value, '
        'key="[a,b]"',
    )


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """Add mmpretrain's options that training and testing share, and ``--debug``."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='do not pin memory for the GPU'
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    add_debug(parser)


def run(main: Callable, args: argparse.Namespace) -> None:
    """Call ``main(args)``; print an error in one line and exit with status 1.

    Args:
        main: The work of a subcommand.
        args: Its options; ``args.debug`` shows tracebacks. ``args.log_dir``, once set,
            is where the traceback of an unexpected error is written.
    """
    os.environ.setdefault('LOCAL_RANK', str(getattr(args, 'local_rank', 0)))
    register_safe_loaders()
    for message in NOISE:
        warnings.filterwarnings('ignore', message=message)
    # When the disk is full, the next checkpoint says so; the log file need not.
    logging.raiseExceptions = False
    try:
        main(args)
        end_distributed()
    except Interrupted as interrupted:
        leave(interrupted)
    except KeyboardInterrupt:  # a training that has begun saves
        print('interrupted', file=sys.stderr)
        sys.exit(130)
    except Exception as error:
        if args.debug:
            raise
        stop(one_line(error, args), every_process=not isinstance(error, UserError))


def one_line(error: Exception, args: argparse.Namespace) -> str:
    """Describe the error that is being handled in one line."""
    text = str(error)
    if isinstance(error, UserError):
        # From a data-loader worker it comes with a traceback; its last line is ours.
        if 'Original Traceback' in text:
            text = text.rstrip().splitlines()[-1].partition('UserError: ')[2]
        return text.replace('\n', ' ')
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f'{text}: free some space and continue with --resume; nothing is lost'
    what = ' '.join(f'{type(error).__name__}: {text}'.split())[:400]
    given = getattr(args, 'config', 'the input')
    return f'{given}: {what} ({save_traceback(args)})'


def save_traceback(args: argparse.Namespace) -> str:
    """Write the traceback of the current error; return how to see it."""
    if not hasattr(args, 'log_dir'):
        return '--debug shows where'
    path = Path(args.log_dir) / f'traceback_{os.environ.get("RANK", 0)}.txt'
    try:
        path.write_text(traceback.format_exc())
    except OSError:  # a full disk
        return '--debug shows where'
    return f'traceback: {path}'


def stop(text: str, every_process: bool = False) -> None:
    """Exit with one line and status 1; only one process of a machine prints it.

    Under our launcher, the launcher prints it and reads it from a file: any process can
    be the first to fail, and the launcher kills the others before they print anything.
    """
    if os.environ.get(LAUNCHER):
        ErrorHandler().record_exception(UserError(text))
        sys.exit(1)
    silent = os.environ.get('LOCAL_RANK', '0') != '0' and not every_process
    sys.exit(1 if silent else f'error: {text}')


def leave(interrupted: Interrupted) -> None:
    """Exit all processes together; a launcher takes the first exit for a failure."""
    if dist.is_main_process():
        print(interrupted, file=sys.stderr)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    dist.barrier()
    os._exit(interrupted.code)


def end_distributed() -> None:
    """Destroy the process group: gloo's threads may abort an exiting interpreter."""
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def run_in_process(name: str, *args) -> None:
    """Run a tool in this process, which saves the start and the imports.

    Args:
        name: File name below ``tools/``, as 'train.py'.
        *args: Words of its command line.
    """
    stem = Path(name).stem
    command = importlib.import_module(f'.{MODULES.get(stem, stem)}', __package__)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        command.main([str(arg) for arg in args])
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
