"""What the command-line tools share: options, config loading, one-line errors."""

import argparse
import contextlib
import errno
import io
import logging
import os
import runpy
import signal
import sys
import traceback
import warnings
from collections.abc import Callable
from pathlib import Path

# The tools work from a checkout without an installation, too.
_ROOT = str(Path(__file__).resolve().parents[1])
if _ROOT not in sys.path:
    sys.path.insert(0, _ROOT)


def add_common_arguments(parser: argparse.ArgumentParser) -> None:
    """mmpretrain's options that training and testing share, and ``--debug``."""
    from mmengine.config import DictAction

    parser.add_argument('--work-dir', help='folder of logs and checkpoints')
    parser.add_argument(
        '--no-pin-memory', action='store_true', help='do not pin memory for the GPU'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config: key=value, nested.key=value, '
        'key="[a,b]"',
    )
    parser.add_argument(
        '--launcher', choices=['none', 'pytorch', 'slurm', 'mpi'], default='none'
    )
    parser.add_argument('--local_rank', '--local-rank', type=int, default=0)
    parser.add_argument(
        '--debug', action='store_true', help='show tracebacks of user errors'
    )


def load_config(args: argparse.Namespace):
    """Load ``args.config`` (a path, or ``bootmae_plugin::...``) with our runner."""
    from mmengine.config import Config

    import bootmae_plugin
    from bootmae_plugin.errors import UserError, check

    path = args.config
    if path.startswith('bootmae_plugin::'):
        path = bootmae_plugin.config_path(path.removeprefix('bootmae_plugin::'))
    check(
        Path(path).is_file(),
        f'config {args.config} does not exist: give the path of a .py config, or '
        'bootmae_plugin::selfsup/NAME.py for one of the installed ones',
    )
    try:
        cfg = Config.fromfile(path)
    except UserError:
        raise
    except Exception as error:  # whatever goes wrong in a user's file
        what = f'{type(error).__name__}: {" ".join(str(error).split())}'
        raise UserError(f'config {path} cannot be loaded: {what}') from error
    cfg.launcher = args.launcher
    cfg.setdefault('default_scope', 'mmpretrain')
    cfg.setdefault('runner_type', 'mmpretrain.PluginRunner')
    if args.work_dir is not None:
        cfg.work_dir = args.work_dir
    elif cfg.get('work_dir') is None:
        cfg.work_dir = str(Path('work_dirs') / Path(path).stem)
    return cfg


def import_framework() -> None:
    """Import without what the framework prints about its own optional parts."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        import mmpretrain.datasets
        import mmpretrain.models  # noqa: F401

        import bootmae_plugin  # noqa: F401


def set_loader_defaults(cfg, field: str, args: argparse.Namespace) -> None:
    """Pinned memory, persistent workers, collate: mmpretrain's defaults."""
    import torch

    loader = cfg.get(field)
    if loader is None:
        return
    workers = loader.get('num_workers', 0)
    loader.setdefault('pin_memory', torch.cuda.is_available())
    loader.setdefault('persistent_workers', workers > 0)
    loader.setdefault('collate_fn', dict(type='default_collate'))
    if isinstance(loader['collate_fn'], dict):
        # mmengine stamps it on what is inherited as 'package::', and calls with it.
        loader['collate_fn'].pop('_scope_', None)
    if args.no_pin_memory:
        loader['pin_memory'] = False
    if getattr(args, 'no_persistent_workers', False):
        loader['persistent_workers'] = False


def run(main: Callable, args: argparse.Namespace) -> None:
    """Call ``main(args)``; a user's error is one line on stderr and exit status 1."""
    try:
        import_framework()
    except ImportError as error:
        sys.exit(f'error: {error}')
    except KeyboardInterrupt:
        sys.exit(130)
    from bootmae_plugin.checkpoints.refuse_pickles import refuse_pickles
    from bootmae_plugin.errors import UserError
    from bootmae_plugin.reliability import Interrupted

    refuse_pickles()
    # Of torch's DistributedDataParallel, about what mmengine and it do by themselves;
    # and of DeiTClsHead, about a teacher, which finetuning with labels does without.
    for message in (
        '.*broadcast_buffers',
        'Grad strides do not match',
        'MMPretrain cannot train',
    ):
        warnings.filterwarnings('ignore', message=message)
    # A log file on a full disk is no reason to end: the next checkpoint says it.
    logging.raiseExceptions = False
    try:
        main(args)
        end_distributed()
    except Interrupted as interrupted:
        leave(interrupted)
    except KeyboardInterrupt:  # a training that has begun saves
        print('interrupted', file=sys.stderr)
        sys.exit(130)
    except UserError as error:
        if args.debug:
            raise
        # A worker of a data loader sends its traceback along; the last line is ours.
        text = str(error)
        if 'Original Traceback' in text:
            text = text.rstrip().splitlines()[-1].partition('UserError: ')[2]
        stop(text)
    except Exception as error:
        if args.debug:
            raise
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            stop(f'{error}: make room and go on with --resume; nothing else was lost')
        what = ' '.join(f'{type(error).__name__}: {error}'.split())[:400]
        given = getattr(args, 'config', 'the input')
        stop(f'{given}: {what} ({where_from(args)})', everywhere=True)


def where_from(args: argparse.Namespace) -> str:
    """How to see the traceback of what was just raised."""
    if not hasattr(args, 'log_dir'):
        return '--debug shows where'
    path = Path(args.log_dir) / f'traceback_{os.environ.get("RANK", 0)}.txt'
    try:
        path.write_text(traceback.format_exc())
    except OSError:  # a full disk
        return '--debug shows where'
    return f'traceback: {path}'


def run_here(name: str, *args) -> None:
    """Run ``tools/<name>`` in this process, where the framework is imported already.

    Starting a process and importing are most of the time that a tool takes to fail.
    """
    argv, path = sys.argv, sys.path[:]
    handlers = {number: signal.getsignal(number) for number in signal.valid_signals()}
    sys.argv = [name, *map(str, args)]
    sys.path.insert(0, str(Path(__file__).parent))
    try:
        runpy.run_path(str(Path(__file__).parent / name), run_name='__main__')
    finally:
        sys.argv, sys.path[:] = argv, path
        for number, handler in handlers.items():
            if signal.getsignal(number) is not handler:
                signal.signal(number, handler)


def end_distributed() -> None:
    """Left to the interpreter's end, gloo's threads may abort the process."""
    import torch

    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()


def stop(text: str, everywhere: bool = False) -> None:
    """End with one line and status 1; of the processes of a machine one speaks."""
    silent = os.environ.get('LOCAL_RANK', '0') != '0' and not everywhere
    sys.exit(1 if silent else f'error: {text}')


def leave(interrupted: Exception) -> None:
    """End all processes together; a launcher takes the first for a failure."""
    from mmengine import dist

    if dist.is_main_process():
        print(interrupted, file=sys.stderr)
    logging.shutdown()
    sys.stdout.flush()
    sys.stderr.flush()
    dist.barrier()
    os._exit(interrupted.code)
