"""The command ``bootmae``: its table of contents, and the start of a subcommand.

A module of its own, because ``import bootmae_plugin`` imports torch, which takes
seconds, and not every subcommand needs it.
"""

import contextlib
import difflib
import importlib
import io
import os
import signal
import sys
import warnings

# Group -> subcommand -> (module, one line of help). The module has main(argv) and is
# imported when the subcommand is started.
COMMANDS = {
    'From photos to a model': {
        'pretrain': ('bootmae_plugin.cli.pretrain', 'train an encoder on your photos'),
        'probe': ('bootmae_plugin.cli.probe', 'evaluate it: k-NN and a linear layer'),
        'finetune': ('bootmae_plugin.cli.finetune', 'train a classifier from it'),
        'segment': ('bootmae_plugin.cli.segment', 'train a segmentation from it'),
        'predict': ('bootmae_plugin.cli.predict', 'label new photos'),
        'export': ('bootmae_plugin.cli.export', 'one file: ONNX, torch.export, timm'),
    },
    'Run a config': {
        'train': ('bootmae_plugin.cli.train', 'train, or continue a run (--resume)'),
        'test': ('bootmae_plugin.cli.test', 'test a checkpoint on the test set'),
        'configs': ('bootmae_plugin.cli.list_configs', 'list the configs, by pattern'),
        'data': ('bootmae_plugin.cli.prepare_data', 'get a data set ready'),
    },
    'Look at an encoder': {
        'knn': ('bootmae_plugin.cli.knn', 'classify by nearest neighbors'),
        'linear-probe': (
            'bootmae_plugin.cli.linear_probe',
            'train a linear layer on cached features',
        ),
        'reconstruct': ('bootmae_plugin.cli.reconstruct', 'draw reconstructed images'),
        'report': ('bootmae_plugin.cli.report', 'one HTML file about runs'),
    },
    'Tools': {
        'convert': (
            'bootmae_plugin.cli.convert',
            'convert a checkpoint, as to timm',
        ),
        'cost': ('bootmae_plugin.cli.cost', 'estimate FLOPs, memory and hours'),
        'doctor': ('bootmae_plugin.cli.doctor', 'check the installation'),
    },
}
# Subcommands that are imported before the framework. They call
# bootmae_plugin.register() where they need it.
WITHOUT_FRAMEWORK = {'configs', 'doctor', 'predict'}

TRY_AGAIN = 75  # EX_TEMPFAIL: schedulers start the job again
EXIT_STATUS = dict(SIGTERM=TRY_AGAIN, SIGUSR1=TRY_AGAIN, SIGINT=130)

# Read by bootmae_plugin/__init__.py: import it without torch.
registers_later = False


def table_of_contents() -> str:
    """Return the help of ``bootmae``."""
    lines = ['usage: bootmae COMMAND ...', '']
    for group, commands in COMMANDS.items():
        lines.append(f'{group}:')
        lines += [f'  {name:<14}{text}' for name, (_, text) in commands.items()]
        lines.append('')
    return '\n'.join([*lines, 'bootmae COMMAND -h shows the options of a command.'])


def find_command(name: str) -> str:
    """Return the module of a subcommand; exit with one line if there is none."""
    known = {
        k: module for group in COMMANDS.values() for k, (module, _) in group.items()
    }
    if name not in known:
        near = difflib.get_close_matches(name, known, n=3, cutoff=0)
        sys.exit(
            f'error: bootmae has no command {name!r}: the nearest are '
            f'{", ".join(near)}; bootmae -h lists all'
        )
    return known[name]


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


def run_module(name: str, argv: list[str] | None = None, framework=True) -> None:
    """Import a module quietly and call its ``main(argv)``.

    A missing or outdated framework is one line on stderr and exit status 1.

    Args:
        name: Full name of the module.
        argv: Words of the command line. Defaults to None: those of the process.
        framework: Register the package before the import. Defaults to True.
    """
    global registers_later
    registers_later = True
    before = exit_on_signals()
    if not framework and hasattr(signal, 'SIGPIPE'):
        signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # bootmae configs | head
    try:
        # The framework prints which of its optional parts are missing.
        with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
            warnings.simplefilter('ignore')
            if framework:
                importlib.import_module('bootmae_plugin').register()
            command = importlib.import_module(name)
    except ImportError as error:
        sys.exit(
            f'error: {error}, or activate the environment that has it (this is '
            f'{sys.executable})'
        )
    # A training replaces the other two when it starts; Ctrl-C is Python's again.
    signal.signal(signal.SIGINT, before[signal.SIGINT])
    command.main(argv)


def main(argv: list[str] | None = None) -> None:
    """Start the subcommand that the first word names."""
    name, *words = (sys.argv[1:] if argv is None else argv) or ['--help']
    if name in ('-h', '--help', 'help'):
        print(table_of_contents())
    elif name == '--version':
        from importlib.metadata import version

        print(f'bootmae {version("bootmae_plugin")}')
    else:
        run_module(find_command(name), words, name not in WITHOUT_FRAMEWORK)


if __name__ == '__main__':  # python -m: the package looks for this module's name
    importlib.import_module('bootmae_main').main()
