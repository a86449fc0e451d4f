"""Start a subcommand of ``bootmae_plugin.cli`` from a file of this folder.

Works from a checkout without installation, from the folder that an installed wheel
ships (``bootmae_plugin/.mim/tools``), and from any working directory.
"""

import contextlib
import importlib
import io
import os
import signal
import sys
import warnings
from pathlib import Path

TRY_AGAIN = 75  # EX_TEMPFAIL: schedulers start the job again
EXIT_STATUS = dict(SIGTERM=TRY_AGAIN, SIGUSR1=TRY_AGAIN, SIGINT=130)


def add_checkout_to_path() -> None:
    """Make ``import bootmae_plugin`` find the checkout that this folder belongs to."""
    root = Path(__file__).resolve().parents[1]
    if (root / 'bootmae_plugin' / '__init__.py').is_file():
        sys.path.insert(0, str(root))


def exit_on_signals() -> dict:
    """Exit at once on SIGTERM, SIGUSR1 and Ctrl-C; return the handlers before.

    Nothing has to be saved before the training starts. ``os._exit`` leaves no
    traceback; SystemExit, raised in the middle of an import, does.
    """

    def leave(number: int, frame) -> None:
        os._exit(EXIT_STATUS[signal.Signals(number).name])

    before = {}
    for name in EXIT_STATUS:
        if hasattr(signal, name):  # Windows has no SIGUSR1
            number = getattr(signal, name)
            before[number] = signal.signal(number, leave)
    return before


def import_quietly(name: str):
    """Import a module without what the framework prints about its optional parts."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter('ignore')
        return importlib.import_module(name)


def run_command(name: str, package: str = 'bootmae_plugin.cli') -> None:
    """Run the subcommand ``name`` with the words of the command line.

    A missing or outdated framework is one line on stderr and exit status 1.

    Args:
        name: Module of the package; its ``main()`` is called.
        package: ``dev.benchmark`` and ``dev.torture`` are beside this file.
    """
    add_checkout_to_path()
    before = exit_on_signals()
    try:
        command = import_quietly(f'{package}.{name}')
    except ImportError as error:
        sys.exit(
            f'error: {error}, or activate the environment that has it (this is '
            f'{sys.executable})'
        )
    # A training replaces the other two when it starts; Ctrl-C is Python's again.
    signal.signal(signal.SIGINT, before[signal.SIGINT])
    command.main()
