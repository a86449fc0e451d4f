"""Weights that ship with the package, by address: ``bootmae_plugin://NAME``."""

import hashlib
import json
from pathlib import Path

from ..errors import check

SCHEME = 'bootmae_plugin://'
FOLDER = Path(__file__).parents[1] / '.mim/weights'


def sha256(path: Path) -> str:
    """Return the SHA-256 of a file, in hexadecimal digits."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def shipped_weights(address: str) -> Path:
    """Return the file of an address, after a look at its checksum.

    The config of its run is ``FOLDER/NAME.py``.

    Args:
        address: ``bootmae_plugin://NAME``, where NAME is that of the model.

    Raises:
        UserError: if there are no such weights, or the file is damaged, or it is too
            large for the wheel and was not put there.
    """
    name = address.removeprefix(SCHEME)
    names = sorted(path.stem for path in FOLDER.glob('*.json'))
    check(
        name in names,
        f'this version ships no weights {address}, but those of '
        f'{", ".join(names) or "no model"}: give one of them, or a file',
    )
    facts = json.loads((FOLDER / f'{name}.json').read_text('utf-8'))
    path, again = FOLDER / facts['file'], 'install bootmae_plugin again'
    if path.parent != FOLDER:  # of the repository, but not of the wheel
        again = f'copy weights/{facts["file"]} of the repository to {path}'
        size = f'{facts["bytes"] / 1e6:.0f} MB'
        check(path.is_file(), f'{address} ({size}) is not in the wheel: {again}')
    check(
        path.is_file() and sha256(path) == facts['sha256'],
        f'{path} is missing or damaged (its SHA-256 is not in {name}.json): {again}',
    )
    return path
