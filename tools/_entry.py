"""Start a module from a file of this folder, as the command ``bootmae`` does.

Works from a checkout without installation, from the folder that an installed wheel
ships (``bootmae_plugin/.mim/tools``), and from any working directory.
"""

import sys
from pathlib import Path

root = Path(__file__).resolve().parents[1]
if (root / 'bootmae_main.py').is_file():  # a checkout
    sys.path.insert(0, str(root))

import bootmae_main  # noqa: E402


def run_command(name: str, package: str = 'bootmae_plugin.cli') -> None:
    """Run ``main()`` of a module with the words of the command line.

    Args:
        name: Module of the package.
        package: ``dev.benchmark`` and ``dev.torture`` are beside this file.
    """
    bootmae_main.run_module(f'{package}.{name}')
