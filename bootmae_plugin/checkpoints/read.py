"""Read a checkpoint file without executing anything in it."""

import pickle
import re
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from ..errors import UserError, check
from ..hints import command
from .shipped import SCHEME, shipped_weights


def _history_method(owner: object, name: str) -> object:
    """Stand-in for ``getattr`` that only returns the methods of a HistoryBuffer.

    mmengine's history of the logged scalars is pickled with ``getattr``. The real one
    would let a file reach any function.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'getattr of {name!r} is not allowed')


def _safe_globals() -> list:
    """List what mmengine's checkpoints name beside tensors: the logged scalars."""
    # pickle names numpy's own constructors; numpy 2 moved them to another module.
    new_array, new_number = (x.__reduce__()[0] for x in (np.zeros(1), np.float64(0)))
    dtypes = [type(np.dtype(name)) for name in ('f8', 'f4', 'i8', 'u8', 'i4')]
    allowed = [HistoryBuffer, (_history_method, 'builtins.getattr')]
    for module in ('numpy.core.multiarray', 'numpy._core.multiarray'):
        allowed += [(new_array, f'{module}._reconstruct')]
        allowed += [(new_number, f'{module}.scalar')]
    return [*allowed, np.ndarray, np.dtype, *dtypes]


def _download(url: str) -> Path:
    """Download a checkpoint into torch's cache, unless it is there already."""
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(url).path).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path))
        except OSError as error:
            raise UserError(
                f'checkpoint {url} cannot be downloaded ({error}): check the URL and '
                'the connection, or give a local file'
            ) from error
    return path


def read_checkpoint(
    path: str | Path, unpickle: bool = False, whole: bool = True
) -> dict:
    """Read a checkpoint onto the CPU without unpickling arbitrary objects.

    Args:
        path: File (.pth or .safetensors), its http(s) URL, or ``bootmae_plugin://NAME``
            for weights that ship with the package.
        unpickle: Unpickle it anyway, which can run any code: only for a file from a
            trusted source. Defaults to False.
        whole: Read the whole file and verify its checksums. False maps the tensors
            into memory, for a look at the other entries. Defaults to True.

    Returns:
        The content of the file, a dict.

    Raises:
        UserError: if the file is missing, truncated or corrupt, is not a dict, or would
            have to be unpickled.
    """
    if str(path).startswith(('http://', 'https://')):
        path = _download(str(path))
    elif str(path).startswith(SCHEME):
        path = shipped_weights(str(path))
    path = Path(path).expanduser()
    check(
        path.is_file(),
        f'checkpoint {path} does not exist: check the path (a work dir keeps its '
        'checkpoints as epoch_*.pth and stage_*.pth)',
    )
    try:
        if path.suffix == '.safetensors':
            from safetensors.torch import load_file

            return load_file(path)
        if whole and zipfile.is_zipfile(path):  # torch does not verify checksums
            with zipfile.ZipFile(path) as archive:
                bad = archive.testzip()
            if bad is not None:
                raise zipfile.BadZipFile(bad)
        with torch.serialization.safe_globals(_safe_globals()):
            content = torch.load(
                path, map_location='cpu', weights_only=not unpickle, mmap=not whole
            )
    except pickle.UnpicklingError as error:
        named = re.search(r'GLOBAL (\S+)|getattr of \S+', str(error))
        reason = named[0] if named else 'not a valid checkpoint'
        raise UserError(
            f'checkpoint {path} was not loaded: it is damaged, or must be unpickled, '
            f'which can run any code ({reason}). If you trust its source: '
            f'{command("convert")} --unpickle'
        ) from error
    except Exception as error:  # torch, zip and safetensors each raise their own
        raise UserError(
            f'checkpoint {path} ({path.stat().st_size:,} bytes) cannot be read: it is '
            f'truncated or not a checkpoint ({type(error).__name__}). Use another file'
        ) from error
    check(
        isinstance(content, dict),
        f'checkpoint {path} holds a {type(content).__name__}, expected a dict of '
        'weights: save model.state_dict()',
    )
    return content


def state_dict_of(content: dict) -> dict[str, Tensor]:
    """Return the weights inside a checkpoint of mmengine, timm or the official code."""
    for key in ('state_dict', 'model', 'model_state_dict'):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    return {key: value for key, value in content.items() if isinstance(value, Tensor)}
