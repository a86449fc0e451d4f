"""What mmengine loads by itself is not unpickled either."""

import contextlib
import functools
import os
import pickle
from collections.abc import Callable, Iterator

from mmengine.runner import CheckpointLoader, checkpoint

from ..errors import UserError
from .read import read_checkpoint

# Of torch.load: even where it is called with weights_only=False.
FORCE = 'TORCH_FORCE_WEIGHTS_ONLY_LOAD'
# Names of models and of storage, which mmengine turns into files by itself.
NAMED = {
    ('modelzoo://', 'torchvision://'): checkpoint.load_from_torchvision,
    ('open-mmlab://', 'openmmlab://'): checkpoint.load_from_openmmlab,
    ('mmcls://',): checkpoint.load_from_mmcls,
    ('pavi://',): checkpoint.load_from_pavi,
    (r'(\S+\:)?s3://', r'(\S+\:)?petrel://'): checkpoint.load_from_ceph,
}


def refuse_pickles() -> None:
    """Let mmengine load files and addresses as :func:`read_checkpoint` does.

    By itself it falls back to unpickling. Our runners and tools call this; it holds for
    the process. What is loaded is on the CPU: whoever takes it copies it from there.
    """

    def load_from_safe(filename: str, map_location=None) -> dict:
        return read_checkpoint(filename)

    schemes = ('', 'http://', 'https://')
    CheckpointLoader.register_scheme(schemes, load_from_safe, force=True)
    for schemes, load in NAMED.items():
        CheckpointLoader.register_scheme(schemes, _strict(load), force=True)


def _strict(load: Callable) -> Callable:
    @functools.wraps(load)
    def strict(filename: str, map_location=None) -> dict:
        with _forced():
            try:
                return load(filename, 'cpu')
            except pickle.UnpicklingError as error:
                raise UserError(
                    f'{filename} holds more than weights and would have to be '
                    'unpickled, which can run any code, so it was not loaded: download '
                    'it, and take the weights out with tools/convert_checkpoint.py '
                    '--unpickle where you trust its source'
                ) from error

    return strict


@contextlib.contextmanager
def _forced() -> Iterator[None]:
    before = os.environ.get(FORCE)
    os.environ[FORCE] = '1'
    try:
        yield
    finally:
        os.environ.pop(FORCE)
        if before is not None:
            os.environ[FORCE] = before
