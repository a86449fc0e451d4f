"""Masked-autoencoder pretraining with bootstrapped targets, a plugin for mmpretrain.

Importing the package registers its classes in mmpretrain's registries, its configs
under the name ``bootmae_plugin::``, and its models for mmpretrain's ``list_models``.
"""

import difflib
import re
import sys
from importlib import import_module
from pathlib import Path

from .errors import UserError
from .moved import install_aliases
from .version import __version__

# The rooms whose classes are registered; segmentation/ only where a config names it.
ROOMS = (
    *('datasets', 'engine', 'evaluation'),
    *('models', 'reliability', 'targets', 'visualization'),
)
MINIMUM = {'mmengine': '0.10.5', 'mmcv': '2.0.0', 'mmpretrain': '1.2.0'}
INSTALL = 'pip install onedl-mmengine onedl-mmcv onedl-mmpretrain'
HEADLESS = 'pip uninstall opencv-python, then pip install opencv-python-headless'
_MIM = Path(__file__).parent / '.mim'
_registered = False


def _check_framework() -> None:
    """Raise an ImportError of one sentence if the framework is missing or too old."""
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


def register() -> None:
    """Register classes, configs and models; ``import bootmae_plugin`` calls this.

    Only the command ``bootmae`` imports the package without it, because some of its
    subcommands need no torch. It can be called again.

    Raises:
        ImportError: in one sentence, if the framework is missing or too old.
    """
    global _registered
    if _registered:
        return
    _check_framework()
    from mmengine.config.utils import MODULE2PACKAGE
    from mmpretrain.apis import ModelHub

    # mmengine then finds 'bootmae_plugin::selfsup/...' in the _base_ of a config.
    MODULE2PACKAGE.setdefault('bootmae_plugin', 'bootmae_plugin')
    for room in ROOMS:
        import_module(f'.{room}', __name__)
    ModelHub.register_model_index(_MIM / 'model-index.yml', config_prefix=_MIM)
    _registered = True


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


install_aliases()
if not getattr(sys.modules.get('bootmae_main'), 'registers_later', False):
    register()

__all__ = ['UserError', '__version__', 'config_path', 'register']
