"""A cache of features on disk, named by everything that the features depend on."""

import hashlib
import inspect
import json
import sys
from collections.abc import Callable
from pathlib import Path

from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from ..checkpoints.export import save_weights
from ..models import pooling
from . import features as extraction

# Libraries whose sources are not hashed: their updates rarely change a feature.
LIBRARIES = {
    'torch',
    'timm',
    'mmengine',
    'mmcv',
    'mmpretrain',
    *sys.stdlib_module_names,
}


def code_version(*modules: nn.Module) -> str:
    """Hash the source code that computes features.

    It is the code of the pooling, of the extraction, and of the classes of ``modules``
    and of all their parts, libraries left out.
    """
    names = {pooling.__name__, extraction.__name__} | {
        cls.__module__
        for module in modules
        for part in module.modules()
        for cls in type(part).__mro__
    }
    digest = hashlib.sha256()
    for name in sorted(names):
        if name.split('.')[0] not in LIBRARIES:
            digest.update(f'{name}\n{_source(name)}'.encode())
    return digest.hexdigest()


def _source(module: str) -> str:
    """Return the source of a module; an empty one without a file (a notebook)."""
    try:
        return inspect.getsource(sys.modules[module])
    except (OSError, TypeError):
        return ''


def cache_key(
    encoder: nn.Module, preprocess: nn.Module, images: Tensor, **settings
) -> str:
    """Return a name that differs for other weights, code, images or settings.

    Args:
        encoder: Its weights and code count.
        preprocess: Its code counts.
        images: (N, 3, H, W) uint8.
        **settings: Whatever else the features depend on.
    """
    settings = dict(settings, code=code_version(encoder, preprocess))
    digest = hashlib.sha256(json.dumps(settings, sort_keys=True, default=str).encode())
    for name, value in sorted(encoder.state_dict().items()):
        digest.update(f'{name}{tuple(value.shape)}{value.dtype}'.encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    digest.update(f'{tuple(images.shape)}'.encode())
    digest.update(images.contiguous().numpy().tobytes())
    return digest.hexdigest()[:24]


def load_features(
    folder: str | Path,
    keys: dict[str, str],
    extract: Callable[[list[str]], dict[str, Tensor]],
) -> dict[str, Tensor]:
    """Load features from the cache; extract and store those that are missing.

    A damaged file is reported and replaced.

    Args:
        folder: Folder of the cache.
        keys: The :func:`cache_key` of each pooling.
        extract: Returns the features of a list of poolings. It is called at most once.

    Raises:
        UserError: if the cache cannot be written.
    """
    paths = {pool: Path(folder) / f'{key}.safetensors' for pool, key in keys.items()}
    found = {pool: _read(path) for pool, path in paths.items()}
    missing = [pool for pool, features in found.items() if features is None]
    extracted = extract(missing) if missing else {}
    for pool in missing:
        save_weights({'features': extracted[pool]}, paths[pool])
    return {pool: extracted.get(pool, features) for pool, features in found.items()}


def _read(path: Path) -> Tensor | None:
    """Read a cached tensor; None if there is none. A damaged file is removed."""
    if not path.exists():
        return None
    try:
        return load_file(path)['features']
    except (SafetensorError, OSError, KeyError) as error:
        print(f'{path} is damaged ({error}): the features are extracted again')
        path.unlink()
        return None
