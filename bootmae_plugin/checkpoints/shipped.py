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

    Args:
        address: ``bootmae_plugin://NAME``, where NAME is that of the model.

    Raises:
        UserError: if no such weights ship with this version, or the file is damaged.
    """
    name = address.removeprefix(SCHEME)
    names = sorted(path.stem for path in FOLDER.glob('*.safetensors'))
    check(
        name in names,
        f'this version ships no weights {address}, but those of '
        f'{", ".join(names) or "no model"}: give one of them, or a file',
    )
    path = FOLDER / f'{name}.safetensors'
    expected = json.loads(path.with_suffix('.json').read_text('utf-8'))['sha256']
    check(
        sha256(path) == expected,
        f'{path} is damaged (its SHA-256 is not that of {name}.json): install '
        'bootmae_plugin again',
    )
    return path
