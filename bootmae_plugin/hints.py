"""Commands in messages: as the user can type them where they are."""

import os
import sys
from pathlib import Path

# Subcommands whose file in tools/ has another name.
FILES = {
    'convert': 'convert_checkpoint',
    'data': 'prepare_data',
    'linear-probe': 'linear_probe',
}


def command(name: str) -> str:
    """Return how to start a subcommand, in the way in which this process was started.

    It is ``bootmae NAME``, but ``python tools/FILE.py`` in a process that was started
    from a file in the folder ``tools/`` of a checkout, which has that file.

    Args:
        name: Name of the subcommand, such as 'train'.
    """
    folder = Path(sys.argv[0]).parent
    file = folder / f'{FILES.get(name, name)}.py'
    # .mim/tools is the copy that an installed package has for the command mim.
    if (folder / '_entry.py').is_file() and file.is_file() and '.mim' not in file.parts:
        return f'python {min(str(file), os.path.relpath(file), key=len)}'
    return f'bootmae {name}'
