"""Masked-autoencoder pretraining with bootstrapped targets, a plugin for mmpretrain.

Importing the package registers its classes in mmpretrain's registries, its configs
under the name ``bootmae_plugin::``, and its models for mmpretrain's ``list_models``.
"""

import difflib
import re
from pathlib import Path

from .version import __version__

MINIMUM = {'mmengine': '0.10.5', 'mmcv': '2.0.0', 'mmpretrain': '1.2.0'}
INSTALL = 'pip install onedl-mmengine onedl-mmcv onedl-mmpretrain'
HEADLESS = 'pip uninstall opencv-python, then pip install opencv-python-headless'


def _check_framework() -> None:
    """Raise an ImportError of one sentence if the framework is missing or too old."""
    from importlib import import_module

    for name, minimum in MINIMUM.items():
        try:
            module = import_module(name)
        except ImportError as error:
            # OpenCV with a GUI needs libGL.so.1, libgthread-2.0.so.0, ...
            desktop = re.match('lib(GL|gthread|X|SM|ICE|xcb)', str(error))
            advice = HEADLESS if desktop else INSTALL
            raise ImportError(
                f'bootmae_plugin needs {name}>={minimum}, which cannot be imported '
                f'({error}): {advice}'
            ) from error
        have = [int(n) for n in re.findall(r'\d+', module.__version__)[:3]]
        if have < [int(n) for n in minimum.split('.')]:
            raise ImportError(
                f'bootmae_plugin needs {name}>={minimum}, but {module.__version__} is '
                f'installed: {INSTALL}'
            )


_check_framework()

from mmengine.config.utils import MODULE2PACKAGE  # noqa: E402
from mmpretrain.apis import ModelHub  # noqa: E402

# mmengine then finds 'bootmae_plugin::selfsup/...' in the _base_ of a config.
MODULE2PACKAGE.setdefault('bootmae_plugin', 'bootmae_plugin')

from . import (  # noqa: E402, F401
    datasets,
    engine,
    evaluation,
    models,
    reliability,
    visualization,
)
from .errors import UserError  # noqa: E402
from .moved import install_aliases  # noqa: E402

install_aliases()

_MIM = Path(__file__).parent / '.mim'
ModelHub.register_model_index(_MIM / 'model-index.yml', config_prefix=_MIM)


def config_path(name: str) -> str:
    """Return the absolute path of one of the plugin's configs, to inherit from it.

    In a config of another package, which needs no other import::

        _base_ = __import__('bootmae_plugin').config_path(
            'selfsup/bootmae_deit-tiny_cifar10.py')

    Args:
        name: Path below ``configs/``, such as 'selfsup/mae_deit-tiny_cifar10.py'.

    Raises:
        UserError: if there is no such config; the message names the nearest ones.
    """
    root = _MIM / 'configs'
    path = root / name
    if not path.is_file():
        names = sorted(
            str(p.relative_to(root))
            for p in root.rglob('*.py')
            if '_base_' not in p.parts
        )
        nearest = ', '.join(difflib.get_close_matches(name, names, cutoff=0))
        raise UserError(f'there is no config {name!r}: the nearest are {nearest}')
    return str(path.resolve())


__all__ = ['UserError', '__version__', 'config_path']
