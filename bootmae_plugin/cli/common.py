"""What the subcommands that use torch share: options, and the end of a run."""

import argparse
import gc
import importlib
import logging
import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path

import torch
from mmengine import dist
from mmengine.config import DictAction

from ..checkpoints import register_safe_loaders
from ..hints import FILES
from ..reliability import Interrupted
from .outcome import report_errors

# torch's DistributedDataParallel warns about what mmengine and it do by themselves,
# DeiTClsHead about a teacher, which finetuning with labels does not need, and
# mmsegmentation about two outputs for two classes, which are as good as one.
NOISE = (
    '.*broadcast_buffers',
    'Grad strides do not match',
    'MMPretrain cannot train',
    'For binary segmentation, we suggest',
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
    """Add mmpretrain's options that training and testing share."""
    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='do not pin memory for the GPU'
    )
    add_config_options(parser)
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)


def run(main: Callable, args: argparse.Namespace) -> None:
    """Call ``main(args)``; print an error in one line and exit with status 1.

    Args:
        main: The work of a subcommand.
        args: Its options, see :func:`report_errors`.
    """
    os.environ.setdefault('LOCAL_RANK', str(getattr(args, 'local_rank', 0)))
    register_safe_loaders()
    for message in NOISE:
        warnings.filterwarnings('ignore', message=message)
    # When the disk is full, the next checkpoint says so; the log file need not.
    logging.raiseExceptions = False
    try:
        with report_errors(args):
            main(args)
            end_distributed()
    except Interrupted as interrupted:
        leave(interrupted)


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
        gc.collect()  # the runner's cycles hold the wrapped model, and that the threads


def run_in_process(name: str, *args) -> None:
    """Run a tool in this process, which saves the start and the imports.

    Args:
        name: File name below ``tools/``, as 'train.py'.
        *args: Words of its command line.
    """
    stem = Path(name).stem
    module = 'convert' if stem == FILES['convert'] else stem
    command = importlib.import_module(f'.{module}', __package__)
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    try:
        command.main([str(arg) for arg in args])
    finally:
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)
