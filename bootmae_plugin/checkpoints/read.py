"""Strict, safe loading of weights: nothing is unpickled, nothing silently missing."""

import pickle
import re
import zipfile
from pathlib import Path
from urllib.parse import urlparse

import torch
from mmengine.logging import HistoryBuffer
from torch import Tensor

from ..errors import UserError, check


def _history_method(owner: object, name: str) -> object:
    """Stand-in for ``getattr``, which pickle calls for HistoryBuffer's methods alone.

    mmengine allows ``getattr`` itself, with which a file can reach any function.
    """
    if owner is HistoryBuffer and name in ('min', 'max', 'mean', 'current'):
        return getattr(owner, name)
    raise pickle.UnpicklingError(f'getattr of {name!r} is not allowed')


def _safe_globals() -> list:
    """What mmengine writes beside tensors: the history of the logged scalars."""
    import numpy as np

    core = getattr(np, '_core', None) or np.core
    dtypes = [type(np.dtype(name)) for name in ('f8', 'f4', 'i8', 'u8', 'i4')]
    return [
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        core.multiarray._reconstruct,
        core.multiarray.scalar,
        np.ndarray,
        np.dtype,
        *dtypes,
    ]


def _fetch(url: str) -> Path:
    """Download a checkpoint into torch's cache, once."""
    path = Path(torch.hub.get_dir()) / 'checkpoints' / Path(urlparse(url).path).name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        try:
            torch.hub.download_url_to_file(url, str(path))
        except OSError as error:
            raise UserError(
                f'checkpoint {url} cannot be downloaded ({error}): check the address '
                'and the connection, or give a local file'
            ) from error
    return path


def read_checkpoint(
    path: str | Path, unpickle: bool = False, whole: bool = True
) -> dict:
    """Read a checkpoint file or address onto the CPU without unpickling objects.

    Args:
        path: Of the file, or its address.
        unpickle: Unpickle it nevertheless, which can run any code: for a file whose
            source is trusted. Defaults to False.
        whole: Read all of it and check its sums. Defaults to True. False maps the
            tensors, for a look at what stands beside them.

    Raises:
        UserError: if the file is missing, truncated or corrupt, or would need
            unpickling.
    """
    if str(path).startswith(('http://', 'https://')):
        path = _fetch(str(path))
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
        if whole and zipfile.is_zipfile(path):  # torch checks no checksum
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
            f'checkpoint {path} is damaged, or holds more than weights and would have '
            f'to be unpickled, which can run any code, so it was not loaded ({reason}):'
            ' where you trust its source, tools/convert_checkpoint.py --unpickle takes '
            'the weights out'
        ) from error
    except Exception as error:  # torch, zip and safetensors each raise their own
        raise UserError(
            f'checkpoint {path} ({path.stat().st_size:,} bytes) cannot be read, it is '
            f'truncated or no checkpoint ({type(error).__name__}): use another one'
        ) from error
    check(
        isinstance(content, dict),
        f'checkpoint {path} holds a {type(content).__name__}, expected a dict of '
        'weights: save model.state_dict()',
    )
    return content


def state_dict_of(content: dict) -> dict[str, Tensor]:
    """The weights inside a checkpoint of mmengine, timm, or the official code."""
    for key in ('state_dict', 'model', 'model_state_dict'):
        if isinstance(content.get(key), dict):
            content = content[key]
            break
    return {key: value for key, value in content.items() if isinstance(value, Tensor)}
