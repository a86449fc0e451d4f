"""Make mmengine's own checkpoint loading as safe as :func:`read_checkpoint`."""

import contextlib
import functools
import os
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path

from mmengine.runner import CheckpointLoader, checkpoint

from ..errors import UserError
from ..hints import command
from .read import read_checkpoint
from .shipped import SCHEME

# With this variable, torch.load refuses objects even if called with weights_only=False.
FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
# mmengine's loaders of model names and storage addresses, by URL scheme.
LOADERS = {
    ('modelzoo://', 'torchvision://'): checkpoint.load_from_torchvision,
    ('open-mmlab://', 'openmmlab://'): checkpoint.load_from_openmmlab,
    ('mmcls://',): checkpoint.load_from_mmcls,
    ('pavi://',): checkpoint.load_from_pavi,
    (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'): checkpoint.load_from_ceph,
}


# Content of a checkpoint that was read already, by the name that mmengine loads it by.
_contents: dict[str, dict] = {}


def keep_content(path: str | Path, content: dict) -> None:
    """Let the next load of a checkpoint, also by mmengine, return this content."""
    _contents[str(path)] = content


def load_content(path: str | Path, map_location=None) -> dict:
    """Return the content that was kept, once, because mmengine changes it; else read.

    Returns:
        See :func:`read_checkpoint`.
    """
    content = _contents.pop(str(path), None)
    return read_checkpoint(path) if content is None else content


# For mmpretrain's get_model, from the import of the package on.
CheckpointLoader.register_scheme(SCHEME, load_content, force=True)


def register_safe_loaders() -> None:
    """Register loaders that never unpickle, in place of mmengine's, which may.

    The runner and the command-line tools call this. It holds for the whole process.
    Every loader returns tensors on the CPU.
    """
    schemes = ('', 'http://', 'https://')
    CheckpointLoader.register_scheme(schemes, load_content, force=True)
    for schemes, load in LOADERS.items():
        CheckpointLoader.register_scheme(schemes, _never_unpickle(load), force=True)


def _never_unpickle(load: Callable) -> Callable:
    """Wrap one of mmengine's loaders so that an object in the file is an error."""

    @functools.wraps(load)
    def load_weights(filename: str, map_location=None) -> dict:
        with _weights_only():
            try:
                return load(filename, 'cpu')
            except pickle.UnpicklingError as error:
                raise UserError(
                    f'{filename} was not loaded: it must be unpickled, which can run '
                    'any code. If you trust its source: download it, then '
                    f'{command("convert")} --unpickle'
                ) from error

    return load_weights


@contextlib.contextmanager
def _weights_only() -> Iterator[None]:
    """Force ``weights_only`` on torch.load within the block."""
    before = os.environ.get(FORCE)
    os.environ[FORCE] = '1'
    try:
        yield
    finally:
        os.environ.pop(FORCE)
        if before is not None:
            os.environ[FORCE] = before
