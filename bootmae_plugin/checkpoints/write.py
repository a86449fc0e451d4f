"""Checkpoints that a crash cannot spoil, and the newest good one to resume from."""

import os
from collections.abc import Callable
from pathlib import Path

from ..errors import UserError


class CannotWrite(UserError):
    """A file cannot be written, as on a full disk."""


def write_whole(path: Path, write: Callable[[Path], None]) -> None:
    """Let ``write`` make a file under another name, then give it its own.

    Whenever the process or the machine stops, ``path`` is the old file or the new one.

    Raises:
        CannotWrite: ``path`` is as it was.
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
            f'{path} cannot be written ({error}): make room, and go on with --resume; '
            'the checkpoints before it are intact'
        ) from error
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)  # the new name
    finally:
        os.close(folder)
