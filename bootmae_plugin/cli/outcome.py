"""How a subcommand ends: user errors in one line; needs no torch."""

import argparse
import contextlib
import errno
import os
import shlex
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError
from ..hints import command

# Environment variable that our launcher sets for the processes that it starts.
LAUNCHER = 'BOOTMAE_LAUNCHER'


def make_parser(name: str, description: str | None) -> argparse.ArgumentParser:
    """Return the parser of a subcommand, with the option ``--debug``.

    Args:
        name: Name of the subcommand. Its help shows how to start it here.
        description: Text above the options; ``%(prog)s`` is that command.
    """
    parser = argparse.ArgumentParser(
        prog=command(name),
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_debug(parser)
    return parser


def given_command(name: str, argv: list[str] | None) -> str:
    """Return the command line of this process, for logs, configs and results.

    Args:
        name: Name of the subcommand.
        argv: Words given to its ``main``; None: those of this process.
    """
    words = sys.argv[1:] if argv is None else argv
    return f'{command(name)} {shlex.join(words)}'


def add_debug(parser: argparse.ArgumentParser) -> None:
    """Add the option ``--debug``."""
    parser.add_argument(
        '--debug', action='store_true', help='show the traceback of an error'
    )


@contextlib.contextmanager
def report_errors(args: argparse.Namespace) -> Iterator[None]:
    """Print an error in one line and exit with status 1.

    Args:
        args: Options of a subcommand; ``args.debug`` shows tracebacks.
            ``args.log_dir``, once set, is where the traceback of an unexpected error
            is written.
    """
    try:
        yield
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
        from torch.distributed.elastic.multiprocessing.errors import ErrorHandler

        ErrorHandler().record_exception(UserError(text))
        sys.exit(1)
    silent = os.environ.get('LOCAL_RANK', '0') != '0' and not every_process
    sys.exit(1 if silent else f'error: {text}')
