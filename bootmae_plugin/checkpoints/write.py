"""Write a file completely or not at all."""

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError


class CannotWrite(UserError):
    """A file cannot be written, as on a full disk."""


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Write a file under another name, flush it to disk, and rename it.

    Whenever the process or the machine stops, ``path`` is the old file or the new one.

    Args:
        path: The file to write or to replace.
        write: Writes the file it is given.

    Raises:
        CannotWrite: if it cannot be written; ``path`` is unchanged.
    """
    partial = path.with_name(f'.{path.name}.partial')
    try:
        write(partial)
        with open(partial, 'rb') as file:
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:  # torch.save raises the latter
        partial.unlink(missing_ok=True)
        raise CannotWrite(
            f'{path} cannot be written ({error}): make room, and continue with '
            '--resume; older checkpoints are intact'
        ) from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # of the new name
    finally:
        os.close(folder)
