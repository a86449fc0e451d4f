"""One process at a time in a folder; the lock ends with the process that holds it."""

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from ..errors import UserError

_handles: set[int] = set()


def _let_go() -> None:
    """A worker of a data loader may outlive the run that has been killed."""
    while _handles:
        os.close(_handles.pop())


if hasattr(os, 'register_at_fork'):  # not on Windows
    os.register_at_fork(after_in_child=_let_go)


@contextlib.contextmanager
def locked(path: Path, busy: str) -> Iterator[int | None]:
    """Keep other processes out while the block runs.

    Args:
        path: A folder that exists, or a file, which is made where it is missing (on
            network file systems a folder cannot be locked) and stays.
        busy: What the others are told.

    Yields:
        The handle that holds it; closing another one of the same file may end the lock.

    Raises:
        UserError: ``busy``, if another process has it.
    """
    try:
        import fcntl
    except ImportError:  # not on Windows
        yield None
        return
    flags = os.O_RDONLY if path.is_dir() else os.O_RDWR | os.O_CREAT
    handle = os.open(path, flags, 0o666)
    _handles.add(handle)
    try:
        with contextlib.suppress(OSError):  # some network file systems lack locks
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise UserError(busy) from error
        yield handle
    finally:
        _handles.discard(handle)
        os.close(handle)
